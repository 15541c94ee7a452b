"""The rule file that `TIMETRACER_REDACT` names: TOML that adds names, places and expressions to the built-in rules."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from timetracer_otel.errors import UsageError
from timetracer_otel.redaction.names import Names, snake
from timetracer_otel.redaction.own_patterns import OwnPattern
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.personal import PERSONAL_NAMES, may_hold_personal, personal_shapes
from timetracer_otel.redaction.places import STEP, Place, Places, steps_of
from timetracer_otel.redaction.rules import Rules
from timetracer_otel.redaction.slow_patterns import is_slow

KEYS: Final = ("presets", "names", "allow", "paths", "patterns")
PRESETS: Final = ("secrets", "pii")
ROOTS: Final = ("request", "result")
_MAX_BYTES: Final = 1024 * 1024
_MAX_EACH: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,79}")
_RULE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


def load(path: str) -> Rules:
    """The rules of the file with those built in. Raises UsageError, in one line: file, key, what is allowed."""
    return _Reader(path, _parsed(path)).rules()


class _Reader:
    def __init__(self, path: str, table: Mapping[str, Any]) -> None:
        self._path, self._table = path, table
        for key in table:
            if key not in KEYS:
                self._refuse(f"unknown key {key!r}", f"the keys are {', '.join(KEYS)}")

    def rules(self) -> Rules:
        is_personal = "pii" in self._each("presets", self._preset)
        extra = [*self._each("names", self._name), *(PERSONAL_NAMES if is_personal else ())]
        names = Names(extra, self._each("allow", self._name))
        own = self._each("patterns", self._pattern)
        further = (*(personal_shapes() if is_personal else ()), *own)
        patterns = Patterns(names, further, None if own else may_hold_personal)
        return Rules(names, patterns, Places(tuple(self._each("paths", self._place))))

    def _each(self, key: str, read: Callable[[str, Any], Any]) -> list[Any]:
        entries = self._table.get(key, [])
        if not isinstance(entries, list) or len(entries) > _MAX_EACH:
            self._refuse(f"{key} is not a list of up to {_MAX_EACH}", f"write {key} = [...]")
        return [read(f"{key}[{index}]", entry) for index, entry in enumerate(entries)]

    def _preset(self, where: str, entry: Any) -> str:
        if entry not in PRESETS:
            self._refuse(f"{where}: {entry!r} is no preset", f"the presets are {', '.join(PRESETS)}")
        return str(entry)

    def _name(self, where: str, entry: Any) -> str:
        if not isinstance(entry, str) or not _NAME.fullmatch(entry):
            self._refuse(f"{where}: {entry!r} is no name", "write a whole name of letters, digits, -, _ or blanks")
        return snake(entry)

    def _place(self, where: str, entry: Any) -> Place:
        table = {"path": entry} if isinstance(entry, str) else self._sub_table(where, entry, ("path", "type"))
        path, type_name = table.get("path"), table.get("type")
        steps = steps_of(path) if isinstance(path, str) else ()
        if not isinstance(path, str) or STEP.sub("", path) or len(steps) < 2 or steps[0] not in ROOTS:
            advice = 'write one such as "request.body.$.user.email" or "result.headers.x-customer"'
            self._refuse(f"{where}: {path!r} is no path", advice)
        if type_name is not None and not (isinstance(type_name, str) and _TYPE.fullmatch(type_name)):
            self._refuse(f"{where}.type: {type_name!r} is no type", 'write one such as "http" or "postgres"')
        return Place(steps, type_name)

    def _pattern(self, where: str, entry: Any) -> OwnPattern:
        table = self._sub_table(where, entry, ("name", "regex"))
        name, regex = table.get("name"), table.get("regex")
        if not isinstance(name, str) or not _RULE.fullmatch(name):
            self._refuse(f"{where}.name: {name!r} is no name", "write small letters, digits and _, such as customer_no")
        if not isinstance(regex, str) or not regex:
            self._refuse(f"{where}.regex: {regex!r} is not a text", "write a regular expression of Python")
        return OwnPattern(name, self._compiled(f"{where}.regex", regex))

    def _compiled(self, where: str, regex: str) -> re.Pattern[str]:
        try:
            pattern = re.compile(regex)
        except (re.error, OverflowError, RecursionError) as error:
            self._refuse(f"{where}: {regex!r} is no regular expression ({error})", "correct it")
        if pattern.search("") is not None:
            self._refuse(f"{where}: {regex!r} matches the empty text", "write one that needs a letter at least")
        if is_slow(regex):
            advice = "do not repeat what repeats, as in (a+)+, nor let repetitions follow that take the same letters"
            self._refuse(f"{where}: {regex!r} may take for ever", advice)
        return pattern

    def _sub_table(self, where: str, entry: Any, keys: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(entry, dict):
            self._refuse(f"{where} is not a table", f"its keys are {', '.join(keys)}")
        for key in entry:
            if key not in keys:
                self._refuse(f"{where}: unknown key {key!r}", f"the keys are {', '.join(keys)}")
        return entry

    def _refuse(self, problem: str, advice: str) -> NoReturn:
        raise UsageError(self._path, problem, advice)


def _parsed(path: str) -> Mapping[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: Mapping[str, Any] = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(path, f"it is no TOML ({error})", "correct it") from None
    return table


def _text(path: str) -> str:
    file = Path(path)
    if file.exists() and not file.is_file():  # reading a pipe would wait for its writer
        raise UsageError(path, "it is no file", "correct or unset TIMETRACER_REDACT")
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UsageError(path, f"it is larger than {_MAX_BYTES} bytes", "keep rules, not data, in it")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(path, f"{error.strerror}", "correct or unset TIMETRACER_REDACT") from None
    except UnicodeDecodeError as error:
        raise UsageError(path, f"it is not UTF-8 ({error.reason} at byte {error.start})", "correct it") from None
