"""The ids of traces and spans that an application tells a server of: those of the recording, and those of this run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str], ...]
ID: Final = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-zA-Z])")
SPANS_MAX: Final = 10_000
"""The first that are remembered; the id of a later one is a miss, never a match."""


class Named(Protocol):
    """What tells two spans of one trace apart, whatever ids they have."""

    @property
    def name(self) -> str: ...


class Made:
    """Those of a replaying process. `note` takes no lock, since each step of it is one."""

    def __init__(self) -> None:
        self.traces: set[str] = set()
        self.spans: dict[str, Named] = {}
        self.roots: set[str] = set()

    def note(self, trace_id: str, span_id: str, span: Named, is_root: bool) -> None:
        if len(self.spans) < SPANS_MAX:
            self.traces.add(trace_id)
            self.spans[span_id] = span
            if is_root:
                self.roots.add(span_id)


class Traces:
    """The recorded trace, and what stands for its ids now."""

    def __init__(self, trace_id: str, root: str, spans: Iterable[tuple[str, str]], made: Made) -> None:
        """`spans`: ids and names, with that of the local root among them."""
        self._trace_id, self._root, self._names, self._made = trace_id, root, dict(spans), made

    def are_in(self, text: str) -> bool:
        """True if an id of this run stands in the text."""
        return any(each in self._made.traces or each in self._made.spans for each in ID.findall(text))

    def recorded(self, was: str, now: str) -> tuple[str, Pairs]:
        """`now` with the recorded ids where `was` has them, and what stands for what."""
        then = ID.findall(was)
        pairs = [each for each in zip(then, ID.findall(now), strict=False) if self._are_one(*each)]
        there = {here: recorded for recorded, here in pairs}
        return (ID.sub(lambda found: there.get(found[0], found[0]), now) if there else now), tuple(pairs)

    def _are_one(self, was: str, now: str) -> bool:
        if was == self._trace_id:
            return now in self._made.traces
        if was not in self._names or now not in self._made.spans:
            return False
        if was == self._root:  # it is renamed while it runs
            return now in self._made.roots
        return now not in self._made.roots and self._made.spans[now].name == self._names[was]
