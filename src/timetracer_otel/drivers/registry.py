"""The drivers: one line each. Names, not imports: a driver's folder loads when its instrumentor does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from timetracer_otel.cassette.model import Exchange, Payload
    from timetracer_otel.drivers.base import Codec, Describing, EntryDriver, Recording, Replaying


@dataclass(frozen=True, slots=True)
class Driver:
    """`instrumentors` are class names of OpenTelemetry instrumentors; when one of them goes in, so does the driver."""

    module: str
    instrumentors: tuple[str, ...]
    library: str
    """The distribution whose version `doctor` and warnings name."""
    others: tuple[str, ...] = ()
    """Further ones that it covers."""
    of_python: str = ""
    """The one of its instrumentors that traces Python's own modules: what they ask is recorded without any library."""
    entry: str = ""
    """Type of those of its exchanges that are entries (`EntryDriver`); empty if it has none."""
    runs_open: bool = False
    """An entry is known as a whole when it begins: one without an end runs as far as it is recorded."""
    open_methods: tuple[str, ...] = ()
    """Methods of entries that run so, where not all do."""
    asks: bool = True
    """What it asks others is answered in replay (`Replaying`)."""
    traced_by: tuple[str, ...] = ()
    """Modules that make its spans without an instrumentor's `instrument`; the driver goes in with their import too."""
    wire: str = ""
    """The protocol, where several drivers speak it: what one of them recorded answers the others."""
    greets: str = ""
    """Module whose `of_engines` gives the ids of exchanges that were made because an engine connected first then."""
    batches: str = ""
    """Module whose `apart` gives the exchanges for which one of this driver's stands; empty where each is by itself."""
    continued: str = ""
    """Type of the exchanges that continue an entry which was too long to be written at once."""
    whole: str = ""
    """Module whose `whole` gives an entry together with those."""
    mends: str = ""
    """Module whose `mended` puts right what depends on an answer of which a part was renamed."""


DRIVERS: Final = {
    "asgi": Driver(
        module="timetracer_otel.drivers.asgi",
        instrumentors=("StarletteInstrumentor", "FastAPIInstrumentor", "AsgiInstrumentor"),
        library="opentelemetry-instrumentation-asgi",
        entry="http.server",
        asks=False,
        open_methods=("WEBSOCKET",),
        continued="http.messages",
        whole="timetracer_otel.drivers.asgi.websocket.whole",
        traced_by=(
            "opentelemetry.instrumentation.asgi",
            "starlette.middleware.opentelemetry",
            "fastapi.telemetry._asgi",
        ),
    ),
    "asyncpg": Driver(
        module="timetracer_otel.drivers.asyncpg",
        instrumentors=("AsyncPGInstrumentor",),
        library="asyncpg",
        wire="postgres",
        greets="timetracer_otel.drivers.postgres.greetings",
        batches="timetracer_otel.drivers.postgres.executions",
    ),
    "celery": Driver(
        module="timetracer_otel.drivers.celery",
        instrumentors=("CeleryInstrumentor",),
        library="celery",
        entry="task.run",
        runs_open=True,
    ),
    "botocore": Driver(
        module="timetracer_otel.drivers.botocore",
        instrumentors=("BotocoreInstrumentor", "AiobotocoreInstrumentor"),
        library="botocore",
        mends="timetracer_otel.drivers.botocore.renamed",
    ),
    "http": Driver(
        module="timetracer_otel.drivers.http",
        instrumentors=(
            *("HTTPXClientInstrumentor", "HTTPX2ClientInstrumentor", "RequestsInstrumentor", "URLLib3Instrumentor"),
            *("URLLibInstrumentor", "AioHttpClientInstrumentor"),
        ),
        library="httpx",
        others=("httpx2", "requests", "aiohttp", "urllib3"),
        of_python="URLLibInstrumentor",
    ),
    "psycopg": Driver(
        module="timetracer_otel.drivers.psycopg",
        instrumentors=("PsycopgInstrumentor",),
        library="psycopg",
        wire="postgres",
        greets="timetracer_otel.drivers.postgres.greetings",
    ),
    "pymongo": Driver(
        module="timetracer_otel.drivers.pymongo",
        instrumentors=("PymongoInstrumentor",),
        library="pymongo",
        wire="mongo",
    ),
    "redis": Driver(
        module="timetracer_otel.drivers.redis",
        instrumentors=("RedisInstrumentor",),
        library="redis",
    ),
}
"""By the name that exchanges carry as `signature.lib`. A test compares these names with the folders."""


def wire(name: str) -> str:
    """What the driver of that name speaks; its own name where nobody else does, or none of ours knows it."""
    driver = DRIVERS.get(name)
    return (driver.wire if driver is not None else "") or name


def apart(exchange: Exchange) -> Sequence[Exchange]:
    """The requests for which an exchange stands, in order: itself, unless its driver puts several into one."""
    driver = DRIVERS.get(exchange.signature.lib)
    if driver is None or not driver.batches:
        return (exchange,)
    return cast("Sequence[Exchange]", import_module(driver.batches).apart(exchange))


def runs_open(entry: Exchange) -> bool:
    """True if it can run as far as it is recorded, though that is not to its end."""
    driver = DRIVERS[entry.signature.lib]
    return driver.runs_open or entry.signature.method in driver.open_methods


def continues(exchange: Exchange) -> bool:
    """True if it is a piece of an entry."""
    return exchange.type == DRIVERS[exchange.signature.lib].continued


def whole(entry: Exchange, exchanges: Sequence[Exchange]) -> Exchange:
    """The entry with what continues it among the exchanges of its segment."""
    driver = DRIVERS[entry.signature.lib]
    more = [each for each in exchanges if each.type == driver.continued and each.span_id == entry.span_id]
    return cast("Exchange", import_module(driver.whole).whole(entry, more)) if more else entry


def greetings(exchanges: Sequence[Exchange]) -> frozenset[str]:
    """Ids of those that an engine made because it connected first then; a warm one makes none of them."""
    modules = {driver.greets for driver in (DRIVERS.get(e.signature.lib) for e in exchanges) if driver is not None}
    found = (import_module(module).of_engines(exchanges) for module in sorted(modules) if module)
    return frozenset(name for names in found for name in names)


def mended(exchange: Exchange, renamed: Payload) -> Payload:
    """The renamed result of an exchange, as its driver takes it for one that a server sent."""
    driver = DRIVERS.get(exchange.signature.lib)
    if driver is None or not driver.mends:
        return renamed
    return cast("Payload", import_module(driver.mends).mended(exchange.result, renamed))


def codec(name: str) -> Codec:
    return cast("Codec", import_module(f"{DRIVERS[name].module}.codec").CODEC)


def recording(name: str) -> Recording:
    return cast("Recording", import_module(f"{DRIVERS[name].module}.record").RECORDING)


def replaying(name: str) -> Replaying:
    return cast("Replaying", import_module(f"{DRIVERS[name].module}.replay").REPLAYING)


def entry(name: str) -> EntryDriver:
    return cast("EntryDriver", import_module(f"{DRIVERS[name].module}.replay").ENTRY)


def describing(name: str) -> Describing:
    return cast("Describing", import_module(f"{DRIVERS[name].module}.describe").DESCRIBING)
