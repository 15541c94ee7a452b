"""What the backend of one connection asks for, and what it may be given.

`drivers/` puts a replay session behind `Answers`; the backend knows the protocol and nothing of sessions or matching.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from timetracer_otel.cassette.model import Payload
from timetracer_otel.wire.postgres.messages import Notification
from timetracer_otel.wire.postgres.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Parameter:
    """One bound value. `oid` as the client declared it; 0 where it left the type to the server."""

    oid: int
    format: int
    """0 text, 1 binary."""
    value: bytes | None


@dataclass(frozen=True, slots=True)
class CopyFormats:
    """Of COPY: 0 text, 1 binary; over all and per column."""

    overall: int
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a client sent to COPY FROM STDIN. `data` is None where it was more than is kept."""

    data: bytes | None
    size: int
    is_binary: bool
    failed: str | None = None
    """Why the client gave it up (CopyFail)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the client wants to run. A simple query may hold several statements; it has no parameters."""

    sql: str
    parameters: tuple[Parameter, ...] = ()
    is_simple: bool = False
    portal: str | None = None
    """Set for Describe of a portal that SQL has made (DECLARE): its name. `sql` is then what people call that."""
    copied: Copied | None = None
    """Set for COPY FROM STDIN, once all its data has come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded exchange, its result in wire or in readable form."""

    request: Payload
    result: Payload


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing recorded answers, and the report knows it already; `text` goes into the error that the client gets."""

    text: str


@dataclass(frozen=True, slots=True)
class Synthesise:
    """The answer follows from the protocol (`synthesis.is_housekeeping`): the backend makes it from its own state."""


Reply: TypeAlias = "Answer | Miss | Synthesise"


@dataclass(frozen=True, slots=True)
class Startup:
    """`parameters`: ParameterStatus of the recorded server, empty if none was recorded."""

    parameters: Mapping[str, str] = field(default_factory=dict)


class Answers(Protocol):
    """Called on the connection's thread, in the order of the client's messages."""

    def startup(self) -> Startup:
        """What the recorded server said when it was connected to."""

    def answer(self, statement: Statement, transaction: Transaction) -> Reply:
        """The reply to `statement`; takes the exchange that answers. `transaction` is the state before it.

        In a transaction that `failed_by_miss` everything up to its end only follows from that miss: the end is
        housekeeping, the rest consequent.
        """

    def parse(self, sql: str, transaction: Transaction) -> Answer | None:
        """What the recorded server said to Parse of this statement, where it went no further: an error, or nothing in
        time. None where it took the statement. Takes the exchange."""

    def shapes(self, sql: str) -> Sequence[Answer]:
        """Every recorded exchange of this statement, used or not: for column and parameter types. Takes none."""

    def hold(self) -> None:
        """Comes back when the client has given up the statement that was answered last, if the recorded one had; called
        before the end of a portal of which it has read pages."""

    def copy_in(self, sql: str) -> CopyFormats | None:
        """What the recorded server asked for when `sql` was COPY FROM STDIN; None if it never was. Takes nothing: which
        exchange answers is known only when the data has come."""

    def notifications(self) -> Sequence[Notification] | None:
        """Those that are due on a connection whose client waits for nothing else, when it says Flush; None where it
        would wait for ever, since no such wait was recorded: the connection is then closed."""

    def refused(self, statement: Statement, problem: str, is_gap: bool = True) -> str:
        """Puts into the report that the recorded answer cannot be given in the form asked for, or that the statement is
        of a kind that is not replayed; gives the text of the client's error. `is_gap` is False where a server would
        refuse as well: the application did something else than when it was recorded."""
