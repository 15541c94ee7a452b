"""Spans that arrive by `export`, where children come before their parents: kept until the parent is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ORPHANS_MAX: Final = 50_000
"""Spans that wait for a parent; above that the longest waiting one is dropped and counted as `orphan`."""


class Orphans:
    """Spans by the id of the parent that they wait for. Guarded by the recorder's lock."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[ReadableSpan]] = {}
        self._count = 0

    def add(self, parent_id: int, spans: Sequence[ReadableSpan]) -> int:
        """How many spans had to go for these."""
        self._waiting.setdefault(parent_id, []).extend(spans)
        self._count += len(spans)
        too_many = max(0, self._count - ORPHANS_MAX)
        for _ in range(too_many):
            self._drop_oldest()
        return too_many

    def descendants(self, parent_id: int) -> Iterator[list[ReadableSpan]]:
        """The children that waited for this span, then theirs, generation by generation. They wait no longer."""
        generation = self._take(parent_id)
        while generation:
            yield generation
            # Of a flat trace nothing is left to look for.
            parents = [span.context.span_id for span in generation if span.context] if self._waiting else []
            generation = [child for each in parents for child in self._take(each)]

    def families(self) -> Iterator[tuple[int, list[ReadableSpan]]]:
        """What waits in vain: the missing span's id, with its descendants. Nothing waits afterwards."""
        held = {span.context.span_id for spans in self._waiting.values() for span in spans if span.context}
        for parent_id in [parent_id for parent_id in self._waiting if parent_id not in held]:
            yield parent_id, [span for generation in self.descendants(parent_id) for span in generation]

    def _take(self, parent_id: int) -> list[ReadableSpan]:
        children = self._waiting.pop(parent_id, [])
        self._count -= len(children)
        return children

    def _drop_oldest(self) -> None:
        oldest = next(iter(self._waiting))
        self._waiting[oldest].pop(0)
        if not self._waiting[oldest]:
            del self._waiting[oldest]
        self._count -= 1
