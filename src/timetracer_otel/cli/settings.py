"""Where a choice comes from: option > environment > `[tool.timetracer-otel]` of ./pyproject.toml > default."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.config import Settings, duration_s
from timetracer_otel.errors import UsageError
from timetracer_otel.store import Store

if TYPE_CHECKING:
    from timetracer_otel.cassette import Cassette
    from timetracer_otel.replay.ignoring import Wishes

PYPROJECT: Final = "pyproject.toml"
TABLE: Final = "timetracer-otel"
TEXTS: Final = ("app", "store", "timeout")
KEYS: Final = (*TEXTS, "ignore", "chunks", "secrets")
DEFAULT_TIMEOUT: Final = "60s"


@dataclass(frozen=True, slots=True)
class Project:
    """`[tool.timetracer-otel]`; None where it does not say."""

    app: str | None = None
    store: str | None = None
    timeout: str | None = None
    ignore: tuple[str, ...] = ()
    """Paths of the report that are not compared."""
    chunks: bool = False
    """Streams are compared by chunk too."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """What the user supplies in place of markers, by their names."""


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
    table = dict(_table(source))
    return Project(**{**table, "ignore": tuple(table.get("ignore", ()))})


def store(option: str | None) -> Store:
    """Raises UsageError for an option that is empty, and for a variable with a bad value."""
    if option is not None:
        return Store(not_empty("--store", option))
    settings = Settings.from_environment()
    if os.environ.get("TIMETRACER_STORE"):
        return Store(settings.store)
    return Store(project().store or settings.store)


def open_cassette(option: str | None, wanted: str) -> tuple[Cassette, str | None]:
    """As `Store.open_cassette`, in the chosen store; what dead processes left there is adopted first.

    Raises CassetteError, and UsageError as `store` does.
    """
    chosen = store(option)
    if not os.path.exists(not_empty("CASSETTE", wanted)):  # a path is opened as it is
        chosen.adopt()
    return chosen.open_cassette(wanted)


def open_named(option: str | None, wanted: str) -> Cassette:
    """As `open_cassette`: the trace, or of it the one segment that was named."""
    cassette, segment_id = open_cassette(option, wanted)
    if segment_id is None:
        return cassette
    return replace(cassette, segments=tuple(each for each in cassette.segments if each.id == segment_id))


def timeout_s(option: str | None) -> float:
    """Raises UsageError for a duration without a unit."""
    if option is not None:
        return positive_s(option, "--timeout")
    return positive_s(project().timeout or DEFAULT_TIMEOUT, f"{PYPROJECT} timeout")


def wishes(ignore: Sequence[str] | None, has_chunks: bool) -> Wishes:
    """Those of the options, and those of the project."""
    from timetracer_otel.replay.ignoring import Wishes

    named = tuple(not_empty("--ignore", each) for each in ignore or ())
    ours = project()
    return Wishes((*named, *ours.ignore), has_chunks or ours.chunks)


def secrets(options: Sequence[str] | None) -> Mapping[str, str]:
    """Of `NAME=VALUE` by name, and those of the project. Raises UsageError."""
    named = dict(_named(each) for each in options or ())
    return {**project().secrets, **named}


def _named(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not (name.strip() and equals):  # what may be a secret is not told
        raise UsageError("--secret", "it names no secret", "write NAME=VALUE, or NAME=module:function()")
    return name.strip(), not_empty(f"--secret {name.strip()}", value)


def not_empty(source: str, value: str) -> str:
    """The value. Raises UsageError: an empty one is most often a variable of a shell that was not set."""
    if not value.strip():
        raise UsageError(source, f"{value!r} is empty", "give a value or leave it out")
    return value


def file_to_write(source: str, value: str) -> Path:
    """A file, or a folder that is there. Raises UsageError when there is nowhere to write it."""
    path = Path(not_empty(source, value))
    if not path.parent.is_dir():
        raise UsageError(source, f"{value!r} has no folder {path.parent} to be in", "name one that is there")
    if value.endswith(("/", os.sep)) and not path.is_dir():
        raise UsageError(source, f"{value!r} is no folder", "make it first, or name a file")
    return path


def positive_s(text: str, source: str) -> float:
    """Seconds. Raises UsageError for a duration without a unit, or of nothing."""
    seconds = duration_s(text, source)
    if seconds <= 0:
        raise UsageError(source, f"{text!r} leaves no time", "write a duration above zero, such as 60s")
    return seconds


def _table(source: str) -> Mapping[str, Any]:
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
        _check(where, key, value)
    return table


def _check(where: str, key: str, value: object) -> None:
    if key in TEXTS and (not isinstance(value, str) or not value.strip()):
        raise UsageError(where, f"{key} = {value!r} is not a text", f'write {key} = "..."')
    is_list = isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value)
    if key == "ignore" and not is_list:
        raise UsageError(where, f"{key} = {value!r} is not a list of paths", 'write ignore = ["headers.x-build"]')
    if key == "secrets" and not _are_texts(value):
        problem = 'write secrets = { authorization = "module:function()" }'
        raise UsageError(where, "secrets is not a table of texts", problem)
    if key == "chunks" and not isinstance(value, bool):
        raise UsageError(where, f"{key} = {value!r} is not true or false", "write chunks = true")


def _are_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) and each.strip() for each in value.values())


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
