"""What this process learnt when it connected, by the connection's number. Guarded by the recorder's lock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from timetracer_otel.capture.limits import CONNECTIONS_MAX

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Connection


class Connections:
    """Outlives a fork: the child may go on using what its parent connected."""

    def __init__(self) -> None:
        self._by_number: dict[int, Connection] = {}

    def add(self, connection: Connection) -> None:
        """Beyond the limit the one is forgotten that no segment has used for longest: a pool keeps its connections for
        the life of a process, while others come and go with each request."""
        self._by_number[connection.number] = connection
        if len(self._by_number) > CONNECTIONS_MAX:
            del self._by_number[next(iter(self._by_number))]

    def of(self, numbers: Iterable[int]) -> tuple[Connection, ...]:
        """Those of `numbers` that are known, in the order of their numbers. They are in use."""
        found = {number: self._by_number.pop(number) for number in sorted(numbers) if number in self._by_number}
        self._by_number.update(found)
        return tuple(found.values())

    def all(self) -> tuple[Connection, ...]:
        return tuple(self._by_number.values())
