"""What this process learnt of its connections, by their numbers. Guarded by the recorder's lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from timetracer_otel.capture.limits import CONNECTIONS_MAX

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Connection


class Known(NamedTuple):
    """A connection as it was at some time."""

    connection: Connection
    changes: int
    """Of its settings, until then."""


class Connections:
    """Outlives a fork: the child may go on using what its parent connected."""

    def __init__(self) -> None:
        self._by_number: dict[int, Known] = {}

    def add(self, connection: Connection, has_changed: bool) -> None:
        """`has_changed`: it was known, and has other settings now. Beyond the limit the one is forgotten that no
        segment has used for longest: a pool keeps its connections for the life of a process, while others come and go
        with each request."""
        before = self._by_number.get(connection.number)
        changes = before.changes if before is not None else 0
        self._by_number[connection.number] = Known(connection, changes + has_changed)
        if len(self._by_number) > CONNECTIONS_MAX:
            del self._by_number[next(iter(self._by_number))]

    def at_first(self, number: int) -> Known | None:
        """As a segment finds it that begins to use it."""
        return self._by_number.get(number)

    def of(self, used: Mapping[int, Known | None]) -> tuple[Connection, ...]:
        """Those that a segment has used, in the order of their numbers, with the settings that it found: a replay
        begins there. They are in use."""
        known = {number: self._by_number.pop(number) for number in sorted(used) if number in self._by_number}
        self._by_number.update(known)
        return tuple(_as_found(used[number], now).connection for number, now in known.items())

    def all(self) -> tuple[Connection, ...]:
        return tuple(known.connection for known in self._by_number.values())


def _as_found(then: Known | None, now: Known) -> Known:
    """What was learnt since counts for the segment as well, unless the settings have changed by then."""
    return now if then is None or then.changes == now.changes else then
