"""What the recorded application was given: what stands there, it need not have drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from timetracer_otel.cassette.model import Exchange, Value

EVER: Final = 1 << 63
NEVER: Final = EVER + 1


class Given:
    """By the request that it was sent, and by each answer once that had ended. Looked through when first asked."""

    def __init__(self, request: Value, answers: Iterable[Exchange], early: Iterable[Exchange] = ()) -> None:
        """`early`: those that the process had before."""
        self._request, self._answers, self._early = request, tuple(answers), tuple(early)
        self._first = dict[str, int]()
        """When each text that was asked about had come first."""

    def has(self, text: str, before_ns: int = EVER) -> bool:
        """Whether the text stood in something by then, in nanoseconds since the segment began."""
        if text not in self._first:
            self._first[text] = min((ended_ns for ended_ns, told in self._all if text in told), default=NEVER)
        return self._first[text] <= before_ns

    @cached_property
    def _all(self) -> list[tuple[int, str]]:
        answers = ((each.at_ns + each.duration_ns, each.result) for each in self._answers)
        early = ((0, told) for told in (self._request, *(each.result for each in self._early)))
        return [(ended_ns, "\n".join(_texts(told))) for ended_ns, told in (*early, *answers)]


def _texts(value: Value) -> Iterator[str]:
    """Names and values at any depth."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            yield from each
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each
        else:
            yield each.decode("latin-1") if isinstance(each, bytes) else str(each)
