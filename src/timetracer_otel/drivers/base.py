"""What a driver gives and what it is given.

A driver is one folder with four files: `record.py` (taps in the app), `codec.py` (captured references -> an exchange,
redaction), `replay.py` (the real driver redirected to a stub) and `describe.py` (what an exchange says to people).
`registry.DRIVERS` names the folder, which is imported when its instrumentor is, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Acquire, Connection, Exchange, Payload, Segment, Value

if TYPE_CHECKING:
    from timetracer_otel.drivers.encoded import Encoded
    from timetracer_otel.redaction import Redactor

# ---- recording -------------------------------------------------------------------------------------------------------


class Codec(Protocol):
    """Runs in the writer, off the hot path. Pure: no driver call, no I/O."""

    def encode(self, captured: Captured) -> Encoded:
        """The exchange's payload. Raises anything on failure: the exchange alone is then dropped (`encode`)."""

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        """The same with secrets masked, lengths and checksums mended; and the paths that hold a marker now."""


class Recording(Protocol):
    """`record.py` of a driver."""

    def install(self) -> None:
        """Put the taps in; idempotent. Raises MissingNames when the driver lacks a private name that a tap needs."""

    def uninstall(self) -> None:
        """Undo `install` (tests)."""


# ---- for people ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]


Step: TypeAlias = Literal["begin", "commit", "rollback", "savepoint", "release", "rollback to"]


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a transaction begins, ends, or may go back to."""

    step: Step
    savepoint: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What an exchange says. Whoever prints it shortens it and escapes what could drive a terminal."""

    text: str
    """What was asked: a statement, a path."""
    values: Sequence[Value] = ()
    """The parameters, in order."""
    note: str = ""
    """In place of values, where there are none: `body of 12 bytes`."""
    outcome: str = ""
    results: Sequence[Table | str] | None = None
    """What came back, each a table or a tag. None: print request and result as they are."""
    bounds: Sequence[Bound] = ()
    """What it asked of its transaction; empty where the server refused it."""
    traceback: str | None = None
    answered_ns: int | None = None
    """When the last of the answer was sent, since the request came, where work may go on after it."""


class Describing(Protocol):
    """`describe.py` of a driver: for exchanges of anybody's making, so no shape can be relied on."""

    def describe(self, exchange: Exchange) -> Description | None:
        """None if it has nothing to say of this type."""

    def readable(self, exchange: Exchange) -> Exchange:
        """The same in readable form, if it has one; replay takes both. Raises Unconvertible, DamagedCassette."""


# ---- replay ----------------------------------------------------------------------------------------------------------


TEXT_MAX: Final = 1024 * 1024
"""Characters of a value in which ids, instants and markers are looked for; a larger one is compared as a whole."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One value of a request that matching compares. `key` is equal exactly when the server would not tell the two
    apart."""

    path: str
    """Such as `parameters[0]`; as the report names it."""
    key: Hashable
    shown: Value
    """What the report prints."""
    text: str | None = None
    """The value as text, where it has one: uuids and redaction markers are found in it."""
    instant_ns: int | None = None
    """A point in time on the wall clock, where the value is one: `now()` of replay is not that of the recording."""
    made: str | None = None
    """An id that bears the mark of the process that asked, and so was made in it (ObjectId, in hex)."""
    is_known: bool = False
    """Of an id that was made: it was there before this run, and stands for nothing but itself."""
    is_detail: bool = False
    """The report names it only where it differs: one of the many options that hardly any call sets."""
    whole: str | bytes | None = None
    """All of it, where the key is a checksum: markers are found in it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request in the driver's canonical form.

    Two are the same when `shape`, `in_transaction` and the keys of all slots are equal.
    """

    lib: str
    method: str
    url: str
    shape: Hashable
    """The statement or operation without values, normalised."""
    text: str
    """`shape` for people: the statement."""
    slots: tuple[Slot, ...] = ()
    database: str | None = None
    """Takes part only where the segment has more than one for this driver. The host is no part of it, but for drivers
    that find out by themselves which recorded server is meant (`drivers.redis.servers`)."""
    in_transaction: bool | None = None
    """Whether what it does can still be taken back, which is part of what was asked; None where that says nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a question came from, taken in the app's context before the bytes left."""

    frame: str = ""
    """`shop/orders.py:31 load_order`: the innermost frame that is the app's own; empty when there is none."""
    span: str = ""
    """Name of the current span."""
    span_path: tuple[str, ...] = ()
    """Names from the local root down to the current span."""
    connection: int | None = None
    """The stub's connection number in this process."""
    transaction: int | None = None
    task: str = ""
    """Which task of asyncio, or thread, asked: those of one ask one after the other."""
    is_after_miss: bool = False
    """The app handles the exception of a miss: what it asks now may only follow from it."""


class AnswerSource(Protocol):
    """One session: answers from the recorded segment (or environment). Thread-safe; `replay.session` implements it."""

    @property
    def is_environment(self) -> bool:
        """True for work before or outside the entry: housekeeping may be synthesised, answers repeat."""

    @property
    def is_spanless(self) -> bool:
        """True where all of it was asked in no span, as by a script that opens none."""

    def refusal(self, driver: str, pool: str) -> Acquire | None:
        """The pool is asked for a connection: how that ended when it was recorded, where it was full and gave none."""

    def take(self, question: Question, asked: Asked) -> Exchange | None:
        """The recorded exchange that answers, each one once; None if there is none (nothing is reported yet)."""

    def take_ready(self, question: Question, asked: Asked) -> Exchange | None:
        """As `take`, only of what was asked while a pool made a connection ready."""

    def due(self, question: Question, asked: Asked) -> Exchange | None:
        """As `take`, for what the server sends by itself: only once all that was recorded before it was asked for."""

    def known(self, lib: str, shape: Hashable) -> Sequence[Exchange]:
        """Every exchange of this shape, used or not, of the segment and its environment, the next to be used first: for
        column and parameter types."""

    def questions(self, lib: str) -> Sequence[Question]:
        """Those of all recorded requests of the segment, in recorded order."""

    def ahead(self, lib: str, shape: Hashable) -> Exchange | None:
        """The next exchange of this shape that has not answered yet; None if there is none."""

    def miss(self, question: Question, asked: Asked, note: str = "", consequent: bool = False) -> str:
        """Puts the miss into the report; gives the text for the driver's own exception (one line)."""

    def undecided(self, reason: str) -> None:
        """Makes the verdict inconclusive: what is asked is beyond this release, recorded or not."""

    def uncontrolled(self, text: str) -> None:
        """Puts a line into the report that decides nothing: what the replay neither answers nor compares."""

    def connections(self, lib: str) -> Sequence[Connection]:
        """What the recorded process learnt when it connected, for handshakes."""


class ReplayHost(Protocol):
    """What `replay/` lends to a driver's replay side."""

    def current(self) -> tuple[AnswerSource, Asked]:
        """The session of the calling context (by trace id; else the default session) and where the call comes from."""

    def early(self) -> AnswerSource | None:
        """What the process asked before its first entry; None where that is not replayed."""

    def serve(self, name: str, backend: Callable[[int], ServerCore]) -> Callable[[], int]:
        """Registers a protocol core, one per connection (called with the connection's number). The returned function
        gives the loopback port; the listener starts at its first call and again after a fork."""

    def foreign(self, lib: str, target: str) -> str | None:
        """A connection is to be used that was made before the driver was led to the stub. Reports that, and gives the
        text for the driver's own exception; None where there can be none, or nobody of the replay asks."""

    def entry(self) -> Exchange | None:
        """The recorded entry, where a program of the user's is to do the same; None where the runner runs it."""


class ServerCore(Protocol):
    """A sans-IO server side of one connection."""

    @property
    def is_closing(self) -> bool:
        """True when the connection is to be closed after what `receive` returned was sent."""

    def receive(self, data: bytes) -> bytes:
        """What the server sends after `data`. Raises WireError on bytes that are not the protocol."""


class Replaying(Protocol):
    """`replay.py` of a driver."""

    def install(self, host: ReplayHost) -> None:
        """Redirect the real driver to the stub. Raises MissingNames."""

    def uninstall(self) -> None: ...

    def question(self, exchange: Exchange) -> Question:
        """The canonical form of a recorded request: what `take` compares with."""


# ---- entries ---------------------------------------------------------------------------------------------------------


ABSENT: Final = "(absent)"
"""Stands in a Difference where there is no value, not even None."""


@dataclass(frozen=True, slots=True)
class Difference:
    path: str
    recorded: Value
    replayed: Value


@dataclass(frozen=True, slots=True)
class Ignored:
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an entry, in the form that the report prints (`status`, `headers`, `body`, `exception` ...)."""

    fields: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    on_request: tuple[Difference, ...] = ()
    """Differences only for who asks: how the same content was cut into chunks."""


Put: TypeAlias = Callable[[bytes, bool], bytes]
"""A piece of what was asked -> the same with markers replaced. True: it stands in JSON, where text is escaped."""


class EntryDriver(Protocol):
    """A driver whose exchanges are entries (ASGI, Celery): how to run one again and compare what comes of it."""

    def outcome(self, exchange: Exchange) -> Outcome:
        """Of the recorded entry exchange or of the replayed one."""

    def compare(self, recorded: Exchange, replayed: Exchange) -> Comparison:
        """What came of both; `recorded` has the request that was sent, so that its markers stand for nothing known."""

    def compare_requests(self, a: Exchange, b: Exchange) -> Comparison:
        """What two recorded entries were asked, `a` as recorded and `b` as replayed; a difference of markers is one."""

    def supplied(self, exchange: Exchange, put: Put) -> Exchange:
        """The entry with `put` done to all that may hold a marker of what was asked, lengths mended; the same object
        where that changes nothing."""

    def run(
        self,
        app: object,
        segment: Segment,
        exchange: Exchange,
        headers: Sequence[tuple[bytes, bytes]],
        entering: Callable[[Exchange], Exchange],
        raised: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Start the app (lifespan), let `entering` make of the recorded request the one to send, send it with `headers`
        added, wait until the app is done, tell `raised` what it raised if anything, shut the app down. What the app
        answers is captured by the driver's own tap, at the layer that recorded it."""
