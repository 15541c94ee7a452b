"""Where a choice comes from: option > environment > `[tool.timetracer-otel]` of ./pyproject.toml > default."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from timetracer_otel.config import Settings, duration_s
from timetracer_otel.errors import UsageError
from timetracer_otel.store import Store

PYPROJECT: Final = "pyproject.toml"
TABLE: Final = "timetracer-otel"
KEYS: Final = ("app", "store", "timeout")
DEFAULT_TIMEOUT: Final = "60s"


@dataclass(frozen=True, slots=True)
class Project:
    """`[tool.timetracer-otel]`; None where it does not say."""

    app: str | None = None
    store: str | None = None
    timeout: str | None = None


def project(folder: Path | None = None) -> Project:
    """Of the working directory. Raises UsageError for an unknown key or a value that is not text."""
    path = (folder or Path()) / PYPROJECT
    if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe would wait for its writer
        raise UsageError(PYPROJECT, "it is no file", "correct it")
    try:
        source = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Project()
    except UnicodeDecodeError as error:
        raise UsageError(PYPROJECT, f"it is not UTF-8 ({error.reason} at byte {error.start})", "correct it") from None
    return Project(**_table(source))


def store(option: str | None) -> Store:
    """Raises UsageError for an option that is empty, and for a variable with a bad value."""
    if option is not None:
        return Store(not_empty("--store", option))
    settings = Settings.from_environment()
    if os.environ.get("TIMETRACER_STORE"):
        return Store(settings.store)
    return Store(project().store or settings.store)


def timeout_s(option: str | None) -> float:
    """Raises UsageError for a duration without a unit."""
    if option is not None:
        return _positive(option, "--timeout")
    return _positive(project().timeout or DEFAULT_TIMEOUT, f"{PYPROJECT} timeout")


def not_empty(source: str, value: str) -> str:
    """The value. Raises UsageError: an empty one is most often a variable of a shell that was not set."""
    if not value.strip():
        raise UsageError(source, f"{value!r} is empty", "give a value or leave it out")
    return value


def _positive(text: str, source: str) -> float:
    seconds = duration_s(text, source)
    if seconds <= 0:
        raise UsageError(source, f"{text!r} leaves no time", "write a duration above zero, such as 60s")
    return seconds


def _table(source: str) -> Mapping[str, str]:
    where = f"{PYPROJECT} [tool.{TABLE}]"
    if TABLE not in source:  # most projects: nothing is parsed
        return {}
    tools = _parsed(source).get("tool", {})
    table = tools.get(TABLE, {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise UsageError(where, "it is not a table", f"the keys are {', '.join(KEYS)}")
    for key, value in table.items():
        if key not in KEYS:
            raise UsageError(where, f"unknown key {key!r}", f"the keys are {', '.join(KEYS)}")
        if not isinstance(value, str) or not value.strip():
            raise UsageError(where, f"{key} = {value!r} is not a text", f'write {key} = "..."')
    return table


def _parsed(source: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        parsed: dict[str, Any] = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(PYPROJECT, f"it is no TOML ({error})", "correct it") from None
    return parsed
