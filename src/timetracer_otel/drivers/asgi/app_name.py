"""How the application is started again: `shop.web:app`, `shop.web:create_app()`; None where it cannot be told."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

_DOTTED: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_APP_WORD: Final = re.compile(rf"(?:asgi:)?({_DOTTED}):({_DOTTED})(\(\))?")
"""As uvicorn, gunicorn, hypercorn and granian take it; an address such as `127.0.0.1:8000` is no name."""
FACTORY: Final = "--factory"
PREFERRED: Final = ("app", "application")
FOUND_MAX: Final = 100

_found: dict[int, tuple[object, str | None]] = {}
"""By identity of the application; the object is kept, so that its id cannot come to mean another one."""


def from_command_line(argv: Sequence[str], modules: Mapping[str, ModuleType]) -> str | None:
    """The server's argument that names the app, if that module is loaded in this process."""
    for word in argv[1:]:
        match = _APP_WORD.fullmatch(word)
        if match is not None and match[1] in modules:
            is_factory = match[3] is not None or FACTORY in argv
            return f"{match[1]}:{match[2]}{'()' if is_factory else ''}"
    return None


def from_modules(apps: Sequence[object], modules: Mapping[str, ModuleType]) -> str | None:
    """Where one of the objects, best first, is an attribute of a loaded module."""
    for app in apps:
        if app is None:
            continue
        name = _remembered(app, modules)
        if name is not None:
            return name
    return None


def _remembered(app: object, modules: Mapping[str, ModuleType]) -> str | None:
    if id(app) not in _found:
        if len(_found) >= FOUND_MAX:
            _found.clear()
        _found[id(app)] = app, min(_names_of(app, modules), key=_awkwardness, default=None)
    return _found[id(app)][1]


def _names_of(app: object, modules: Mapping[str, ModuleType]) -> Iterator[str]:
    for module_name, module in list(modules.items()):
        names = list(getattr(module, "__dict__", {}).items())
        importable = _importable(module_name, module)
        if importable is not None:
            yield from (f"{importable}:{name}" for name, value in names if value is app)


def _importable(name: str, module: ModuleType) -> str | None:
    """The module's name in another process: a script is `__main__` only while it runs."""
    if name != "__main__":
        return name
    spec = getattr(module, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    path = getattr(module, "__file__", None)
    stem = Path(path).stem if path else ""
    return stem if stem.isidentifier() else None


def _awkwardness(name: str) -> tuple[bool, bool, int, str]:
    module, attribute = name.split(":")
    return attribute not in PREFERRED, attribute.startswith("_") or module.startswith("_"), len(name), name


def name_of(apps: Sequence[object]) -> tuple[str | None, bool]:
    """The name, and True if it is that of the outermost app: the one that the server was given."""
    named = from_command_line(sys.argv, sys.modules)
    return (named, True) if named is not None else (from_modules(apps, sys.modules), False)
