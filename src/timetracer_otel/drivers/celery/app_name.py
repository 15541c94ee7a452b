"""How the Celery app is found again: `shop.tasks:app`; None where it cannot be told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PREFERRED: Final = ("app", "celery", "celery_app")
FOUND_MAX: Final = 100

_found: dict[int, tuple[object, str | None]] = {}
"""By identity of the app; the object is kept, so that its id cannot come to mean another one."""


def name_of(app: Any) -> str | None:
    """Any: a Celery app. Looked for once: it searches all modules."""
    if id(app) not in _found:
        if len(_found) >= FOUND_MAX:
            _found.clear()
        _found[id(app)] = app, min(_names_of(app), key=_awkwardness, default=None)
    return _found[id(app)][1]


def _names_of(app: Any) -> Iterator[str]:
    for module_name, module in list(sys.modules.items()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is app and (importable := _importable(module_name, module)) is not None:
                yield f"{importable}:{name}"


def _importable(name: str, module: ModuleType) -> str | None:
    """The module's name in another process: a script is `__main__` only while it runs."""
    if name != "__main__":
        return None if name.startswith("celery.") else name
    spec = getattr(module, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    stem = Path(getattr(module, "__file__", None) or "").stem
    return stem if stem.isidentifier() else None


def _awkwardness(name: str) -> tuple[bool, bool, int, str]:
    module, attribute = name.split(":")
    return attribute not in PREFERRED, attribute.startswith("_") or module.startswith("_"), len(name), name
