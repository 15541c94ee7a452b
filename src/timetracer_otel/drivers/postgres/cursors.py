"""Server-side cursors in replay: the pages that were recorded as one row of rows, so that any size of page replays."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.postgres.questions import cursor_of
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.postgres.answers import Answer
from timetracer_otel.wire.postgres.cursors import CursorCommand, cursor_command
from timetracer_otel.wire.postgres.recorded import Recorded, Table, recorded

ELSEWHERE: Final = "the cursor stands at another row than when it was recorded"


@dataclass(slots=True)
class Cursor:
    """One that was declared on this connection. `number` is that of the recording, None if it has none."""

    number: int | None
    fetched: set[str]
    """Ids of all pages that any cursor of this replay has taken: an environment would give the last one for ever."""
    moves: int = 0
    rows: deque[tuple[Any, ...]] = field(default_factory=deque)
    """Recorded pages have given them, the app has not asked for them yet."""
    is_at_end: bool = False
    """The recording has shown that nothing comes after `rows`."""
    _head: Payload = field(default_factory=dict)
    _table: Table | None = None

    def fetch(self, wanted: int | None, take: Callable[[], Exchange | None]) -> Answer | None:
        """The next rows; None where more are asked for than the recorded app has read."""
        notices: list[Any] = []
        while self.is_at_end or wanted is None or len(self.rows) < wanted:
            exchange = take()
            if exchange is None or exchange.id in self.fetched:
                if self.is_at_end:
                    break
                return None
            self.fetched.add(exchange.id)
            page = _page(exchange)
            if page is None or not self._fits(page[1]):
                return Answer(exchange.request, exchange.result)
            notices += page[0].notices
            self._add(exchange, page[1])
        return Answer({}, {"results": [self._next(wanted)], "notices": notices})

    def moved(self) -> None:
        """It stands where the recorded one stood then."""
        self.rows.clear()
        self.is_at_end = False
        self.moves += 1

    def _fits(self, table: Table) -> bool:
        before = self._table
        return before is None or not self.rows or (before.formats, before.columns) == (table.formats, table.columns)

    def _add(self, exchange: Exchange, table: Table) -> None:
        asked = cursor_command(str(exchange.request.get("statement", "")))
        self.is_at_end = self.is_at_end or asked is None or asked.max_rows is None or table.count < asked.max_rows
        self._table, self._head = table, _head(exchange)
        self.rows.extend(zip(*table.values, strict=True) if table.columns else [()] * table.count)

    def _next(self, wanted: int | None) -> Payload:
        count = len(self.rows) if wanted is None else min(wanted, len(self.rows))
        rows = [self.rows.popleft() for _ in range(count)]
        tag = f"FETCH {count}"
        if self._table is None:
            return {"tag": tag}
        if self._table.is_readable:
            return {**self._head, "rows": rows, "tag": tag}
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(self._table.columns)
        return {**self._head, "rows": count, "values": columns, "tag": tag}


class Cursors:
    """Those of one connection, by name."""

    def __init__(self, fetched: set[str]) -> None:
        self._fetched = fetched
        self._by_name: dict[str, Cursor] = {}

    def get(self, name: str) -> Cursor:
        """One that nobody has declared here, such as a portal of a function, has its name only."""
        return self._by_name.get(name) or self._by_name.setdefault(name, Cursor(None, self._fetched))

    def recorded(self, name: str) -> tuple[int, int] | None:
        """In the words of the recording: the cursor's number and how often it was moved."""
        known = self._by_name.get(name)
        return (known.number, known.moves) if known is not None and known.number is not None else None

    def answered(self, command: CursorCommand, exchange: Exchange) -> None:
        """A statement about a cursor was answered as it was recorded."""
        if command.verb == "DECLARE":
            number, _ = cursor_of(exchange.request) or (None, 0)
            self._by_name[command.name] = Cursor(number, self._fetched)
        elif command.verb == "CLOSE":
            self._by_name.pop(command.name, None)
        else:
            self.get(command.name).moved()

    def is_elsewhere(self, command: CursorCommand) -> bool:
        """True where `command` goes on from a place at which the recorded cursor never stood."""
        known = self._by_name.get(command.name)
        is_relative = command.verb in ("FETCH", "MOVE") and not command.is_page and not command.is_absolute
        return is_relative and known is not None and bool(known.rows)


def _page(exchange: Exchange) -> tuple[Recorded, Table] | None:
    """None for an answer that holds no rows, such as an error."""
    try:
        answer = recorded(exchange.result)
    except DamagedCassette:
        return None
    table = answer.results[0].table if len(answer.results) == 1 and answer.error is None else None
    return None if table is None else (answer, table)


def _head(exchange: Exchange) -> Payload:
    result: Any = exchange.result
    table: Payload = result["results"][0]
    return {"columns": table["columns"], "formats": table["formats"]}
