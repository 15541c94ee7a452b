"""What is known of a psycopg connection while it lives, and the raw halves of an exchange: references only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from timetracer_otel.drivers.postgres import numbers, operations

if TYPE_CHECKING:
    from psycopg._pipeline_base import BasePipeline
    from psycopg.pq import PGnotify
    from psycopg.pq.abc import PGconn, PGresult

    from timetracer_otel.capture.table import Captured, Tape
    from timetracer_otel.drivers.psycopg.flows import Flow

LIBRARY: Final = "psycopg"
QUERY: Final = operations.QUERY
COMMAND: Final = operations.COMMAND
DESCRIBE: Final = operations.DESCRIBE
NOTIFY: Final = operations.NOTIFY
WAIT: Final = operations.WAIT
COPY_IN: Final = operations.COPY_IN
COPY_OUT: Final = operations.COPY_OUT
IDLE: Final = 0
ACTIVE: Final = 1
GONE: Final = 4
"""PGTransactionStatusType of libpq; 2 is INTRANS, 3 INERROR; 4 (UNKNOWN) is that of a broken connection."""
COMMAND_OK: Final = 1
FATAL_ERROR: Final = 7
COMPLETED: Final = frozenset({1, 2})  # COMMAND_OK, TUPLES_OK
COPYING: Final = {3: COPY_OUT, 4: COPY_IN}
STREAMING: Final = frozenset({9, 12})  # SINGLE_TUPLE, TUPLES_CHUNK
PIPELINE_ABORTED: Final = 11
"""ExecStatusType of libpq."""
DIAGNOSTIC_FIELDS: Final = b"SVCMDHPpqWstcdnFLR"
"""What errors and notices may hold. Source: PostgreSQL protocol 3.0, "Error and Notice Message Fields"."""
CURSORS_MAX: Final = 256
"""Names that one connection remembers."""
_CURSOR_WORDS: Final = frozenset({b"DECLA", b"FETCH", b"MOVE ", b"CLOSE"})
_CURSOR: Final = re.compile(
    rb"""(?is)DECLARE\s+(?P<declared>"(?:[^"]|"")*"|\w+)|(?:FETCH|MOVE|CLOSE)\b.*?(?P<last>"(?:[^"]|"")*"|(?<!\w)\w+)[\s;]*\Z"""
)
_BEGINS: Final = re.compile(rb"(?i)\s*(?:BEGIN|START)")
"""Without a copy of the statement, which may be large."""
CURSOR_WORDS_MAX: Final = 500
"""Bytes at either end of a statement in which the name of its cursor stands."""
_PAGE: Final = re.compile(rb"(?i)FETCH\s+(?:FORWARD\s+|NEXT\s+)?(?:(?:\d+|ALL)\s+)?(?:FROM|IN)\s")
"""FETCH that goes on where the one before has ended."""


class Sent:
    """A request as it was handed to libpq. Not a dataclass: one is made per statement, on the hot path."""

    __slots__ = (
        "cursor",
        "database",
        "failed",
        "flow",
        "formats",
        "is_run",
        "op",
        "parameters",
        "prepared",
        "result_format",
        "statement",
        "target",
        "types",
    )

    def __init__(
        self,
        tracked: Tracked,
        statement: bytes,
        parameters: Sequence[bytes | None] = (),
        types: Sequence[int] = (),
        formats: Sequence[int] = (),
        result_format: int = 0,
        op: str = QUERY,
        prepared: bytes | None = None,
    ) -> None:
        self.target, self.database = tracked.target, tracked.database
        self.statement = statement
        self.parameters, self.types, self.formats = parameters, types, formats
        self.result_format = result_format
        self.op = op
        self.prepared = prepared
        """Name of the prepared statement that it runs."""
        self.is_run = True
        """False for one that the server has yet to prepare, or did not."""
        self.cursor: tuple[int, int] | None = None
        """The cursor of SQL that it is about, and how often that was moved before."""
        self.flow: Flow | None = None
        """What COPY FROM STDIN sends."""
        self.failed: bytes | None = None
        """Why the app gave that up."""


class Received:
    """The answer: PGresults as libpq gave them, or the text of what the driver raised because none came."""

    __slots__ = ("error", "flow", "notices", "notifications", "results", "settings", "status")

    def __init__(
        self,
        results: Sequence[PGresult],
        status: int,
        notices: Sequence[Mapping[str, bytes]] = (),
        error: str | None = None,
        flow: Flow | None = None,
        notifications: Sequence[PGnotify] = (),
        settings: Mapping[str, bytes] | None = None,
    ) -> None:
        self.settings = settings
        """Reported with the answer, since they changed."""
        self.results, self.status, self.notices, self.error = results, status, notices, error
        self.notifications = notifications
        self.flow = flow
        """What COPY TO STDOUT or `stream()` gave before `results`."""


class Cursors:
    """The cursors of one connection by their names: the number of each, which is its own in the process, and how often
    it was moved."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}

    def of(self, statement: bytes) -> tuple[int, int] | None:
        """The cursor that `statement` is about, if it is about one; DECLARE makes it, MOVE moves it."""
        if statement[:5].upper() not in _CURSOR_WORDS:
            return None
        if len(statement) > 2 * CURSOR_WORDS_MAX:  # it goes on with another one
            statement = statement[:CURSOR_WORDS_MAX] + b" " + statement[-CURSOR_WORDS_MAX:]
        found = _CURSOR.match(statement)
        if found is None:
            return None
        name = _unquoted(found["declared"] or found["last"])
        if found["declared"] is not None:
            return self._declare(name)
        known = self._known.get(name)
        if known is not None and _PAGE.match(statement) is None:
            self._known[name] = (known[0], known[1] + 1)
        return known

    def _declare(self, name: bytes) -> tuple[int, int]:
        known = self._known[name] = (next(_cursors), 0)
        if len(self._known) > CURSORS_MAX:
            del self._known[next(iter(self._known))]
        return known

    def named(self, name: bytes) -> tuple[int, int] | None:
        return self._known.get(name)


def _unquoted(name: bytes) -> bytes:
    return name[1:-1].replace(b'""', b'"') if name.startswith(b'"') else name.lower()


class Tracked:
    """One connection. Used by one thread or task at a time, as psycopg's own lock sees to."""

    __slots__ = (
        "__weakref__",
        "_begun",
        "_greeting",
        "_pending",
        "cursors",
        "database",
        "flow",
        "in_transaction",
        "is_listening",
        "is_preparing",
        "notices",
        "notifications",
        "number",
        "settings",
        "tape",
        "target",
        "transaction",
    )

    def __init__(self, number: int, target: str, database: str) -> None:
        self.number, self.target, self.database = number, target, database
        self.tape: Tape | None = None
        """The tape that knows of this connection."""
        self._pending: Captured | None = None
        self._begun: Captured | None = None
        self._greeting: str | None = None
        self.flow: Flow | None = None
        """The request whose data passes piece by piece, once that has begun; then it is not pending."""
        self.is_preparing = False
        """The next answer is that of Parse, not of the request."""
        self.notices: list[Mapping[str, bytes]] = []
        self.is_listening = False
        """The app waits for notifications: those that come are the answer."""
        self.notifications: list[PGnotify] = []
        """That came during the request under way."""
        self.transaction = 0
        self.in_transaction = False
        self.cursors = Cursors()
        self.settings: tuple[bytes | None, ...] = ()
        """Values of SHAPING as the server last reported them."""

    def __del__(self) -> None:
        busy.discard(self.number)

    @property
    def pending(self) -> Captured | None:
        """The request that waits for its answer, outside pipelines."""
        return self._pending

    @pending.setter
    def pending(self, captured: Captured | None) -> None:
        self._pending = captured
        self._note()

    @property
    def begun(self) -> Captured | None:
        """The request whose Parse went out, until it is executed."""
        return self._begun

    @begun.setter
    def begun(self, captured: Captured | None) -> None:
        self._begun = captured
        self._note()

    @property
    def greeting(self) -> str | None:
        """What an engine that connects for the first time has asked, until the answer comes."""
        return self._greeting

    @greeting.setter
    def greeting(self, name: str | None) -> None:
        self._greeting = name
        self._note()

    def _note(self) -> None:
        if self._pending is None and self._begun is None and self._greeting is None:
            busy.discard(self.number)
        else:
            busy.add(self.number)

    def transaction_of(self, status: int, statement: bytes) -> int | None:
        """The number of the transaction that `statement` runs in, when it is sent in `status`; None outside of one.

        In a pipeline the status is not known before Sync: a transaction that was begun goes on.
        """
        if status != ACTIVE:
            self.in_transaction = self.in_transaction and status != IDLE
            if not self.in_transaction and (status != IDLE or begins(statement)):
                self.transaction, self.in_transaction = next(numbers.transactions), True
        return self.transaction if self.in_transaction else None


class Pipelined:
    """The requests of one pipeline that wait for their answers, by their position in psycopg's queue of results."""

    __slots__ = ("is_over", "processed", "waiting")

    def __init__(self) -> None:
        self.is_over = False
        """The server has ended the connection."""
        self.processed = 0
        self.waiting: dict[int, Captured] = {}


connections: WeakKeyDictionary[PGconn, Tracked] = WeakKeyDictionary()
pipelines: WeakKeyDictionary[BasePipeline, Pipelined] = WeakKeyDictionary()
busy: Final[set[int]] = set()
"""Numbers of the connections with a request of ours under way. While there is none, a statement that nobody records
needs no look at what is known of its connection."""
_cursors = itertools.count(1)


def begins(statement: bytes) -> bool:
    """True for BEGIN and START TRANSACTION; one that hides behind a comment is known by the status that follows it."""
    return _BEGINS.match(statement) is not None


def diagnostics(result: PGresult) -> dict[str, bytes]:
    """The fields of an error or a notice by their letters."""
    found = ((chr(code), result.error_field(code)) for code in DIAGNOSTIC_FIELDS)
    return {letter: value for letter, value in found if value is not None}


def text(value: bytes | None) -> str:
    """What libpq says; bytes that are not UTF-8 become surrogates, so that they encode back."""
    return (value or b"").decode("utf-8", "surrogateescape")
