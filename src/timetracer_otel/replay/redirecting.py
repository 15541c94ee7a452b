"""Leads drivers to the cassette in a process that is not the replay's own, and back to their servers afterwards."""

from __future__ import annotations

import functools
import sys
from typing import Final

from wrapt import register_post_import_hook

from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.errors import ReplayError

LIBRARIES: Final = tuple(
    (name, module)
    for name, driver in registry.DRIVERS.items()
    if driver.asks
    for module in (driver.library, *driver.others)
)
"""Of each driver that asks servers, the modules whose import it follows."""


class Redirection:
    """Of every driver whose library is imported, or will be: with its instrumentor or without."""

    def __init__(self, host: ReplayHost) -> None:
        self._host = host
        self._is_in = self._is_watching = False
        self._led: list[str] = []

    def install(self) -> None:
        """Raises ReplayError for a library that cannot be led to the cassette; then none is."""
        self._is_in = True
        try:
            for name, module in LIBRARIES:
                if module in sys.modules:
                    self._lead(name)
        except ReplayError:
            self.uninstall()
            raise
        if not self._is_watching:  # an import hook cannot be taken back either
            self._is_watching = True
            for name, module in LIBRARIES:
                register_post_import_hook(functools.partial(self._imported, name), module)

    def uninstall(self) -> None:
        self._is_in = False
        while self._led:
            registry.replaying(self._led.pop()).uninstall()

    def _imported(self, name: str, module: object) -> None:
        if self._is_in:
            self._lead(name)

    def _lead(self, name: str) -> None:
        if name in self._led:
            return
        try:
            registry.replaying(name).install(self._host)
        except MissingNames as error:
            problem = f"it has no {', '.join(error.names)}, so it cannot be led to the cassette"
            advice = f"replay with a release of {name} that timetracer-otel knows"
            raise ReplayError(f"{name} {error.version}", problem, advice) from error
        self._led.append(name)
