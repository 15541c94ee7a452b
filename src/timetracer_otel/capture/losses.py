"""What this process lost since its last part, by reason. Guarded by the recorder's lock."""

from __future__ import annotations

from collections import Counter

from timetracer_otel.capture import guard


class Losses:
    """`counts` are those of no segment's own."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()

    def take(self, own: Counter[str]) -> dict[str, int]:
        """A segment's own, the process's, and failures inside the guard; they are counted from zero again."""
        if not (own or self.counts or guard.failures):  # counters are slow, and this is per part
            return {}
        failed = guard.counts()
        failures, self._reported = failed - self._reported, failed
        losses = own + self.counts + Counter({f"guard.{tap}": count for tap, count in failures.items()})
        own.clear()
        self.counts.clear()
        return dict(losses)
