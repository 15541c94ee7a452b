"""What this process lost since its last part, by reason. Guarded by the recorder's lock."""

from __future__ import annotations

from collections import Counter

from timetracer_otel.capture import guard


class Losses:
    """`counts` are those of no segment's own; `untold` are parts that were lost, and what they had to say."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.untold: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()

    def take(self, own: dict[str, int]) -> dict[str, int]:
        """A segment's own, the process's, and failures inside the guard; they are counted from zero again."""
        if not (own or self.counts or self.untold or guard.failures):  # counters are slow, and this is per part
            return {}
        failed = guard.counts()
        failures, self._reported = failed - self._reported, failed
        losses = (
            Counter(own)
            + self.counts
            + self.untold
            + Counter({f"guard.{tap}": count for tap, count in failures.items()})
        )
        own.clear()
        self.counts.clear()
        self.untold.clear()
        return dict(losses)
