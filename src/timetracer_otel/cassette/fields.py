"""One object of a document, read field by field: what is not as it should be is named with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from timetracer_otel.cassette.model import Payload, Value

T = TypeVar("T")

_HEX: Final = re.compile(r"[0-9a-f]*")
_JSON_NAMES: Final = {
    dict: "an object",
    list: "a list",
    str: "text",
    bytes: "bytes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}
_MISSING: Final = object()


class Fields:
    """`where` is the object's place in its file, such as `exchanges[3].signature`; empty for the whole.

    Each method gives the field of that name; a field without a default must be there. All raise ValueError.
    """

    __slots__ = ("_values", "_where")

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{where or 'the whole'} is {_json_name(value)}, not an object")
        self._values: dict[str, Value] = value
        self._where = where

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        return self._of(str, name, default)

    def optional_text(self, name: str) -> str | None:
        return None if self._values.get(name) is None else self._of(str, name, None)

    def integer(self, name: str, default: int | None = None) -> int:
        """Raises ValueError beyond 64 bits too: times, numbers and sizes are counted with it."""
        number = self._of(int, name, default)
        if not -(2**63) <= number < 2**63:
            raise ValueError(f"{self._place(name)} is beyond 64 bits")
        return number

    def optional_integer(self, name: str) -> int | None:
        return None if self._values.get(name) is None else self.integer(name)

    def flag(self, name: str, default: bool | None = None) -> bool:
        return self._of(bool, name, default)

    def hex(self, name: str, digits: int) -> str:
        """Raises ValueError unless it is that many lower-case hexadecimal digits."""
        text = self.text(name)
        if len(text) != digits or _HEX.fullmatch(text) is None:
            raise ValueError(f"{self._place(name)} is not {digits} hexadecimal digits")
        return text

    def optional_hex(self, name: str, digits: int) -> str | None:
        return None if self._values.get(name) is None else self.hex(name, digits)

    def payload(self, name: str) -> Payload:
        """An empty one where there is none."""
        return self._of(dict, name, {})

    def required_payload(self, name: str) -> Payload:
        return self._of(dict, name, None)

    def optional_payload(self, name: str) -> Payload | None:
        return None if self._values.get(name) is None else self._of(dict, name, None)

    def object(self, name: str) -> Fields:
        return Fields(self._of(dict, name, None), self._place(name))

    def optional_object(self, name: str) -> Fields | None:
        return None if self._values.get(name) is None else self.object(name)

    def objects(self, name: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        """What `read` makes of each object of a list; nothing where there is no list."""
        place = self._place(name)
        return tuple(read(Fields(item, f"{place}[{index}]")) for index, item in enumerate(self._of(list, name, [])))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._all(str, name, self._of(list, name, [])))

    def integers(self, name: str) -> tuple[int, ...]:
        return tuple(self._all(int, name, self._of(list, name, [])))

    def text_map(self, name: str) -> Mapping[str, str]:
        items = self._of(dict, name, {})
        return dict(zip(items, self._all(str, name, list(items.values())), strict=True))

    def counts(self, name: str) -> Mapping[str, int]:
        items = self._of(dict, name, {})
        return dict(zip(items, self._all(int, name, list(items.values())), strict=True))

    def one_of(self, name: str, allowed: frozenset[str], default: str | None = None) -> str:
        text = self.text(name, default)
        if text not in allowed:
            raise ValueError(f"{self._place(name)} is {text[:40]!r}, not one of {', '.join(sorted(allowed))}")
        return text

    def _of(self, kind: type[T], name: str, default: T | None) -> T:
        value = self._values.get(name, _MISSING)
        if value is _MISSING:
            return self._default(name, default)
        if type(value) is not kind:  # exactly: a bool is an int, and here it must not be
            raise ValueError(f"{self._place(name)} is {_json_name(value)}, not {_JSON_NAMES[kind]}")
        return value

    def _default(self, name: str, default: T | None) -> T:
        if default is None:
            raise ValueError(f"{self._place(name)} is missing")
        return default

    def _all(self, kind: type[T], name: str, items: list[Value]) -> list[T]:
        for item in items:
            if type(item) is not kind:
                raise ValueError(f"{self._place(name)} holds {_json_name(item)}, not only {_JSON_NAMES[kind]}")
        return items  # type: ignore[return-value]  # looked at one by one just above

    def _place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def _json_name(value: object) -> str:
    return _JSON_NAMES.get(type(value), type(value).__name__)
