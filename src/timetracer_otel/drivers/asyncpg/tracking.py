"""What is known of an asyncpg connection while it lives, and the raw halves of an exchange: bytes as they went."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.config import MIB
from timetracer_otel.drivers.asyncpg.housework import Housework, housework
from timetracer_otel.drivers.postgres import numbers
from timetracer_otel.drivers.postgres.greetings import greeting
from timetracer_otel.wire.postgres.responses import Shape, is_ended, may_end, shape

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from timetracer_otel.capture.table import Captured, Tape
    from timetracer_otel.wire.postgres.messages import Column

LIBRARY: Final = "asyncpg"
HELD_MAX: Final = 64 * MIB
"""Bytes of one answer that are kept while it comes in."""

UNNAMED_MAX: Final = 16
"""Statements without a name that are remembered: asyncpg runs one right after it has prepared it."""


# Without a copy of the statement, which may be large.
_LISTEN: Final = re.compile(r"\s*LISTEN", re.IGNORECASE)
_BEGINS: Final = re.compile(r"\s*(?:BEGIN|START)", re.IGNORECASE)


class Prepared:
    """A statement as the server described it: to be taken apart by whoever needs it, once."""

    __slots__ = ("_columns", "_shape", "begins", "described", "greeting", "housework", "is_listen", "sql", "unrun")

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.begins = begins(sql)
        self.is_listen = _LISTEN.match(sql) is not None
        self.housework: Housework | None = housework(sql)
        self.greeting = greeting(sql)
        self.described: list[bytes] = []
        """The answer to Parse and Describe."""
        self.unrun: Captured | None = None
        """The exchange that says how it was described, until one of its executions says so."""
        self._shape: Shape | None = None
        self._columns: Sequence[Payload] | None = None

    @property
    def shape(self) -> Shape:
        if self._shape is None:
            self._shape = shape(b"".join(self.described))
        return self._shape

    @property
    def columns(self) -> Sequence[Payload] | None:
        """Of its rows, as the cassette has them; None where it gives none."""
        if self._columns is None and self.shape.columns is not None:
            self._columns = [column_payload(column) for column in self.shape.columns]
        return self._columns


def column_payload(column: Column) -> Payload:
    """As the cassette has it."""
    return {
        "name": column.name,
        "oid": column.oid,
        "size": column.size,
        "mod": column.modifier,
        "table": column.table,
        "attnum": column.attribute,
    }


class Kind(Enum):
    """What an operation of asyncpg's protocol is to us."""

    PREPARE = "prepare"
    STATEMENT = "statement"
    MANY = "many"
    PORTAL = "portal"
    """A cursor: bound once, run any number of times."""
    COPY = "copy"
    NOTIFY = "notify"
    """No operation: the server has sent a notification by itself."""
    OWN = "own"
    """Housework, or the close of a statement or a portal."""


class Operation:
    """One call of asyncpg's protocol: what went out and what came in. Not a dataclass: it is on the hot path."""

    __slots__ = (
        "began_ns",
        "captured",
        "heard",
        "is_late",
        "is_overfull",
        "kind",
        "page",
        "portal",
        "prepared",
        "said",
        "size",
    )

    def __init__(self, kind: Kind, prepared: Prepared, portal: str = "") -> None:
        self.kind, self.prepared, self.portal = kind, prepared, portal
        self.said: list[bytes] = []
        self.heard: list[bytes] = []
        self.size = 0
        self.page = 0
        """Where in `heard` the answer to the last Execute begins."""
        self.began_ns = 0
        """When Parse left; other operations have their exchange then."""
        self.captured: Captured | None = None
        self.is_late = False
        """The caller has gone, by a timeout or because it was cancelled; the answer is still to come."""
        self.is_overfull = False

    @property
    def is_answered(self) -> bool:
        """The server has said all that it has to say for now."""
        return may_end(self.heard) and is_ended(b"".join(self.heard[self.page :]))


class Sent:
    """The request of an exchange."""

    __slots__ = ("database", "operation", "target")

    def __init__(self, tracked: Tracked, operation: Operation) -> None:
        self.target, self.database = tracked.target, tracked.database
        self.operation = operation


class Received:
    """Marks that the answer is in the operation of the request; or says how it was lost."""

    __slots__ = ("error", "heard")

    def __init__(self, heard: list[bytes], error: str | None = None) -> None:
        self.heard, self.error = heard, error


class Tracked:
    """One connection. Used by one operation at a time, as asyncpg itself sees to."""

    __slots__ = (
        "coming",
        "current",
        "database",
        "handshake",
        "has_pinged",
        "in_transaction",
        "listens_for",
        "names",
        "number",
        "opening",
        "portals",
        "prepared",
        "reported",
        "settings",
        "tape",
        "target",
        "transaction",
        "types",
        "unnamed",
        "user",
    )

    def __init__(self, target: str, database: str, user: str) -> None:
        self.number = next(numbers.connections)
        self.target, self.database, self.user = target, database, user
        self.tape: Tape | None = None
        """The tape that knows of this connection."""
        self.handshake: list[bytes] | None = []
        """What the server says until it is ready for the first operation."""
        self.settings: Mapping[str, str] = {}
        self.reported: Any = None
        """asyncpg's own record of these, until the tape hears of the connection."""
        self.coming: Operation | None = None
        """Called, and nothing of it has gone out yet: it may wait for the end of the one before."""
        self.current: Operation | None = None
        self.prepared: dict[str, Prepared] = {}
        """By the name that the server knows them by; those without one by their text, the last of them only."""
        self.unnamed: deque[str] = deque()
        """The texts of those."""
        self.portals: dict[str, Operation] = {}
        self.types: dict[int, Mapping[str, Value]] = {}
        self.names: dict[str, Mapping[str, Value]] = {}
        """What asyncpg has asked about types, by number and by `schema.name`."""
        self.opening: Captured | None = None
        """The BEGIN of a transaction in which nothing has been asked yet."""
        self.has_pinged = False
        self.listens_for: Context | None = None
        """Where LISTEN was asked for: what comes of it by itself comes in no context of the app's."""
        self.transaction = 0
        self.in_transaction = False

    def remember(self, name: str, prepared: Prepared) -> None:
        self.forget(name or prepared.sql)
        self.prepared[name or prepared.sql] = prepared
        if not name:
            self.unnamed.append(prepared.sql)
            if len(self.unnamed) > UNNAMED_MAX:
                self.forget(self.unnamed[0])

    def forget(self, key: str) -> None:
        """The server does not know it any more, by its name or without one by its text."""
        if self.prepared.pop(key, None) is not None and key in self.unnamed:
            self.unnamed.remove(key)

    def transaction_of(self, protocol: Any, prepared: Prepared) -> int | None:
        """The number of the transaction that it runs in, when it is sent now; None outside of one."""
        is_open = protocol.is_in_transaction()
        self.in_transaction = self.in_transaction and is_open
        if not self.in_transaction and (is_open or prepared.begins):
            self.transaction, self.in_transaction = next(numbers.transactions), True
        return self.transaction if self.in_transaction else None


def begins(sql: str) -> bool:
    """True for BEGIN and START TRANSACTION; one that hides behind a comment is known by the status that follows it."""
    return _BEGINS.match(sql) is not None
