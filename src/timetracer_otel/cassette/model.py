"""The cassette in memory: values, nothing else. `docs/cassette-format.md` is the same in words.

Payloads (`request`, `result`, attributes) are plain data as `cassette.values` decodes them: None, bool, int, float,
str, bytes, list, and dict with string keys. Times are nanoseconds: `*_ns` of a span on the wall clock since 1970,
`at_ns` of an exchange since the start of its segment's root span (of an environment: since the process began).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

FORMAT = 1

Value: TypeAlias = "bool | int | float | str | bytes | Blob | Sequence[Value] | Mapping[str, Value] | None"
Payload: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that lie beside the cassette: `size` of them from `offset` on in the store's blob with this SHA-256.

    It stands in a payload while a part is written, and in what is listed; an opened cassette has the bytes themselves.
    """

    sha256: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Signature:
    """What was asked, in three words: `psycopg SELECT shop`."""

    lib: str
    method: str
    url: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to a server with its whole answer, or what was captured of it (`complete`, `dropped`)."""

    id: str
    type: str
    signature: Signature
    request: Payload
    result: Payload
    rev: int = 0
    span_id: str | None = None
    complete: bool = True
    target: str | None = None
    connection: int | None = None
    transaction: int | None = None
    at_ns: int = 0
    duration_ns: int = 0
    dropped: Payload | None = None
    """`{"reason": ..., "size": bytes}` when the payload was over a limit or could not be encoded."""
    redacted: tuple[str, ...] = ()
    """Paths inside the exchange that hold a marker instead of what was there, such as `request.parameters[0]`."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    at_ns: int
    attributes: Payload = field(default_factory=dict)
    dropped: int = 0
    """Attributes that limits of OpenTelemetry's have cut."""


@dataclass(frozen=True, slots=True)
class SpanLink:
    trace_id: str
    span_id: str
    attributes: Payload = field(default_factory=dict)
    trace_state: str = ""
    dropped: int = 0
    """As of an event."""


@dataclass(frozen=True, slots=True)
class Span:
    """OpenTelemetry's fields; ids in lower-case hex."""

    span_id: str
    name: str
    kind: str
    """INTERNAL, SERVER, CLIENT, PRODUCER or CONSUMER."""
    start_ns: int
    end_ns: int
    parent_id: str | None = None
    remote_parent: bool = False
    trace_state: str = ""
    scope: str = ""
    scope_version: str = ""
    status: str = "UNSET"
    status_description: str = ""
    attributes: Payload = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    scope_schema_url: str = ""
    scope_attributes: Payload = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    """What limits of OpenTelemetry's have cut: numbers of `attributes`, `events` and `links`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The root that can run again. `type`: http.server, task.run or function; `outcome`: `200`, `500 KeyError:
    'total'`."""

    type: str
    name: str
    outcome: str
    app: str | None = None
    """`module:attribute` or `module:factory()` of the application, where it could be told."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What a process learnt when it connected: ParameterStatus of PostgreSQL, hello of MongoDB ..."""

    number: int
    driver: str
    target: str
    parameters: Payload = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Process:
    """Identity of a recording process: `id` is 128 random bits in hex, new after a fork (`parent` is then the old
    one)."""

    id: str
    parent: str | None = None
    host: str = ""
    pid: int = 0
    started_ns: int = 0
    argv: tuple[str, ...] = ()
    cwd: str = ""
    sys_path: tuple[str, ...] = ()
    """What `sys.path` held beyond the interpreter's own folders."""
    hash_seed: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of its environment: the names, with the values of those that tell how Python and the app run, else `set`."""


@dataclass(frozen=True, slots=True)
class Generated:
    """One id made by the app: the `index`-th call of `site` gave `value`."""

    kind: str
    site: str
    index: int
    value: str


@dataclass(frozen=True, slots=True)
class Acquire:
    """One wait for a connection of a pool. `size`, `idle` and `waiting` are what the pool was when it was asked: its
    connections, those of them that nobody used, and who waited for one already."""

    driver: str
    pool: str
    """Its name, where it has one."""
    at_ns: int
    wait_ns: int
    size: int
    max_size: int
    idle: int
    waiting: int
    span_id: str | None = None
    connection: int | None = None
    """The one that was given."""
    error: str | None = None
    """The type of what was raised instead, such as `PoolTimeout`."""
    message: str = ""
    """What that said."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One local root span with its descendants in one process; `id` is the root's span id."""

    trace_id: str
    id: str
    process: Process
    complete: bool
    spans: tuple[Span, ...]
    exchanges: tuple[Exchange, ...]
    entry: Entry | None = None
    parent_segment: str | None = None
    resource: Payload = field(default_factory=dict)
    resource_schema_url: str = ""
    connections: tuple[Connection, ...] = ()
    generated: tuple[Generated, ...] = ()
    pools: tuple[Acquire, ...] = ()
    """In the order in which connections were asked for."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Counted losses by reason, such as `{"limit": 2}`."""
    parts: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """How people name it: `<trace prefix>/<root span prefix>`."""
        return f"{self.trace_id[:8]}/{self.id[:8]}"

    @property
    def root(self) -> Span | None:
        """The local root span; None while it has not ended (the process was killed, or the segment is open)."""
        return next((span for span in self.spans if span.span_id == self.id), None)


@dataclass(frozen=True, slots=True)
class Environment:
    """What a process learnt before its first entry: lifespan, pool warm-up, introspection."""

    process: Process
    exchanges: tuple[Exchange, ...] = ()
    connections: tuple[Connection, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cassette:
    """One recorded trace: segments by start, environments by process id."""

    trace_id: str
    segments: tuple[Segment, ...]
    environments: Mapping[str, Environment] = field(default_factory=dict)
    path: str = ""
    """Where it was read from: for messages only."""

    def environment_of(self, segment: Segment) -> tuple[Environment, ...]:
        """Those of the segment's process and of the processes it was forked from, the eldest first."""
        chain: list[Environment] = []
        wanted: str | None = segment.process.id
        while wanted is not None and (found := self.environments.get(wanted)) is not None and found not in chain:
            chain.insert(0, found)
            wanted = found.process.parent
        return tuple(chain)
