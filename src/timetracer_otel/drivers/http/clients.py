"""The clients of this process: what goes into each goes in with its import, or at once where it is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType

from wrapt import register_post_import_hook

from timetracer_otel.drivers.patches import Patches

PutIn = Callable[[Patches, ModuleType], None]


class Clients:
    """`parts`: by module, what is put in with it."""

    def __init__(self, parts: Mapping[str, PutIn]) -> None:
        self._parts = parts
        self._patches = Patches()
        self._done: set[str] = set()
        self._is_in = self._is_watching = False

    def put_in(self) -> None:
        """Idempotent. Raises what a part raises whose module is here."""
        if self._is_in:
            return
        self._is_in = True
        if self._is_watching:  # a hook that has fired does not fire again
            import sys

            for name in self._parts:
                if name in sys.modules:
                    self._came(sys.modules[name])
            return
        self._is_watching = True
        for name in self._parts:
            register_post_import_hook(self._came, name)

    def _came(self, module: ModuleType) -> None:
        if self._is_in and module.__name__ not in self._done:
            self._done.add(module.__name__)
            self._parts[module.__name__](self._patches, module)

    def take_out(self) -> None:
        self._patches.undo()
        self._done.clear()
        self._is_in = False
