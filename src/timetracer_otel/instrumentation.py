"""Which of the libraries that we record are instrumented in this environment, told from entry points."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from opentelemetry.util._importlib_metadata import EntryPoint, entry_points

from timetracer_otel.drivers.registry import DRIVERS, Driver
from timetracer_otel.startup import SWITCHED_OFF

ALL: Final = "*"


def instrumentors(driver: Driver) -> list[EntryPoint]:
    """Those installed that bring the driver's tap."""
    found = entry_points(group="opentelemetry_instrumentor")
    return [one for one in found if one.value.rpartition(":")[2] in driver.instrumentors]


def is_off(instrumentor: str, environ: Mapping[str, str]) -> bool:
    """True if the launcher leaves out the instrumentor of that name."""
    names = [name.strip() for name in environ.get(SWITCHED_OFF, "").split(",")]
    return instrumentor in names or ALL in names


def switched_off(environ: Mapping[str, str]) -> list[str]:
    """Names of installed libraries whose requests are not recorded, since their instrumentors are left out."""
    return sorted(_switched_off(environ)) if environ.get(SWITCHED_OFF) else []


def _switched_off(environ: Mapping[str, str]) -> Iterator[str]:
    for driver in DRIVERS.values():
        for one in instrumentors(driver):
            # An instrumentor has the name of its library's module.
            if is_off(one.name, environ) and find_spec(one.name) is not None and not traces_by_itself(one.name):
                yield one.name


def traces_by_itself(library: str) -> bool:
    """True for a FastAPI that makes its spans without an instrumentor."""
    spec = find_spec(library) if library == "fastapi" else None
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return any(os.path.isdir(os.path.join(folder, "telemetry")) for folder in folders)
