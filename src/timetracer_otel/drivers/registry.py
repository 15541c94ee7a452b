"""The drivers: one line each. Names, not imports: a driver's folder loads when its instrumentor does."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from timetracer_otel.drivers.base import Codec, Describing, EntryDriver, Recording, Replaying


@dataclass(frozen=True, slots=True)
class Driver:
    """`instrumentors` are class names of OpenTelemetry instrumentors; when one of them goes in, so does the driver."""

    module: str
    instrumentors: tuple[str, ...]
    library: str
    """The distribution whose version `doctor` and warnings name."""
    is_entry: bool = False
    """Its exchanges are entries (`EntryDriver` in place of a stub)."""
    traced_by: tuple[str, ...] = ()
    """Modules that make its spans without an instrumentor's `instrument`; the driver goes in with their import too."""
    wire: str = ""
    """The protocol, where several drivers speak it: what one of them recorded answers the others."""


DRIVERS: Final = {
    "asgi": Driver(
        module="timetracer_otel.drivers.asgi",
        instrumentors=("StarletteInstrumentor", "FastAPIInstrumentor", "AsgiInstrumentor"),
        library="opentelemetry-instrumentation-asgi",
        is_entry=True,
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
    ),
    "psycopg": Driver(
        module="timetracer_otel.drivers.psycopg",
        instrumentors=("PsycopgInstrumentor",),
        library="psycopg",
        wire="postgres",
    ),
}
"""By the name that exchanges carry as `signature.lib`. A test compares these names with the folders."""


def wire(name: str) -> str:
    """What the driver of that name speaks; its own name where nobody else does, or none of ours knows it."""
    driver = DRIVERS.get(name)
    return (driver.wire if driver is not None else "") or name


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
