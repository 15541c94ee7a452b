"""What Celery learns by itself of results that nobody has asked for: while it waits for one, others come in, and it
asks for the state of the parents as often as there is time.

A replay asks once, and only for what it was not told. So of each result its segment is told once, whoever brought it;
and of the parents of a result the last that was known when the wait for it ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from timetracer_otel.capture.table import Captured, Tape

TOLD: Final = "_timetracer_told"
"""In a result object: the root span's id of the segment that was told it."""
PARAMETERS: Final = {"propagate": 1, "follow_parents": 4}
"""Of `AsyncResult.get`, with their places; both are true by default."""
PARENTS_MAX: Final = 1000


class Reading(NamedTuple):
    """Under way."""

    tape: Tape
    captured: Captured


class Aside:
    """A state that Celery asks for while it waits for another result."""

    __slots__ = ("error", "meta", "reading", "result")

    def __init__(self, result: Any, reading: Reading) -> None:
        self.result, self.reading = result, reading
        self.meta: Any = None
        """The last that was known."""
        self.error: BaseException | None = None


class Wait:
    """One `.get()`. Any: results of Celery, which has no types."""

    __slots__ = ("asides", "reading", "result")

    def __init__(self, result: Any, reading: Reading | None) -> None:
        self.result, self.reading = result, reading
        self.asides: dict[str, Aside] = {}

    def ends_by_another(self, error: BaseException | None) -> bool:
        """True if it raises what a parent has raised: whether the result itself came is a matter of timing."""
        metas = (each.result._cache for each in self.asides.values())
        return error is not None and any(meta is not None and meta.get("result") is error for meta in metas)


def chosen(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    place = PARAMETERS[name]
    return bool(kwargs.get(name, args[place] if len(args) > place else True))


def parents(result: Any) -> Iterator[Any]:
    """Those whose failure a `.get()` raises: what came before in the chain, of groups each task."""
    left, seen = [result.parent], 0
    while left and seen < PARENTS_MAX:
        node, seen = left.pop(), seen + 1
        if node is None:
            continue
        left.append(node.parent)
        if hasattr(node, "results"):
            left += node.results
        elif hasattr(node, "_cache"):
            yield node


def is_told(result: Any, reading: Reading) -> bool:
    return bool(vars(result).get(TOLD) == _segment(reading))


def tell(result: Any, reading: Reading) -> None:
    vars(result)[TOLD] = _segment(reading)


def untell(result: Any) -> None:
    vars(result).pop(TOLD, None)


def _segment(reading: Reading) -> int:
    """0 is the environment."""
    segment = reading.captured.segment
    return segment.root_id if segment is not None else 0
