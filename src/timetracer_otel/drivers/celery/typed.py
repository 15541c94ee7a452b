"""Python values <-> plain data of the cassette, exact in type and repr; nothing is ever pickled or evaluated.

What JSON has stands as itself. Everything else is a mapping with the key `python`, which names the type. A value of a
type that is not here cannot be kept: `{"python": "unkept", "type": "shop.Order"}` stands in its place and says so.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.redaction import is_marker

TAG: Final = "python"
UNKEPT: Final = "unkept"
SIGNATURE: Final = "Signature"
DEPTH_MAX: Final = 60
NODE_BYTES: Final = 16
"""What a value takes besides its text, roughly."""
RESTORE_ERRORS: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What `restore` raises for data that `Snapshot` did not write."""

_ATOMS: Final = frozenset[type]({type(None), bool, int, str})
_FLAT: Final = _ATOMS | {float}
_NUMBERS: Final = frozenset[type]({type(None), bool, int, float})
_TEXT: Final = frozenset({str})


class TooLarge(Exception):
    """The value has more bytes, or more levels, than may be kept."""


class Snapshot:
    """Copies values, since the app may change its own afterwards. `size` counts the bytes of all of them."""

    __slots__ = ("holds_tasks", "is_plain", "max_bytes", "size")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.size = max_bytes, 0
        self.holds_tasks = False
        """One of them has tasks in it, as a chain has, or a callback."""
        self.is_plain = True
        """As `drivers.base.Encoded.is_plain`."""

    def of(self, value: object, depth: int = DEPTH_MAX) -> Value:
        """Plain data. Raises TooLarge."""
        kind = type(value)
        if kind is dict:
            self._count(NODE_BYTES, depth)
            return self.fields(value, depth)  # type: ignore[arg-type]
        self._count(NODE_BYTES + (len(value) if isinstance(value, (str, bytes, bytearray)) else 0), depth)
        if kind in _FLAT or kind is bytes:
            self.is_plain &= kind is not float
            return value  # type: ignore[return-value]  # its type is one of these exactly
        if kind is list:
            return self._items(value, depth - 1)  # type: ignore[arg-type]
        if (encode := _LEAVES.get(kind)) is not None:
            self.is_plain &= kind is not complex
            return {TAG: kind.__name__, **encode(value)}
        if kind in _COLLECTIONS:
            return {TAG: kind.__name__, "items": [self.of(each, depth - 1) for each in value]}  # type: ignore[attr-defined]
        if isinstance(value, dict) and is_signature(kind):
            return {TAG: SIGNATURE, "value": self.fields(dict(value), depth - 1)}
        return unkept_value(kind)

    def _count(self, size: int, depth: int) -> None:
        self.size += size
        if self.size > self.max_bytes or depth <= 0:
            raise TooLarge

    def _items(self, value: list[Any], depth: int) -> Value:
        if not value:
            return []
        if _NUMBERS.issuperset(kinds := set(map(type, value))):
            self.is_plain &= float not in kinds
            self._count(NODE_BYTES * len(value), depth)
            return list(value)
        return [self.of(each, depth) for each in value]

    def fields(self, value: dict[Any, Any], depth: int = DEPTH_MAX) -> Value:
        """As `of`, of a dict that does not count itself."""
        if not value:
            return {}
        if TAG not in value and _TEXT.issuperset(map(type, value)):
            return self._named(value, depth)
        items = [[self.of(key, depth - 1), self.of(each, depth - 1)] for key, each in value.items()]
        return {TAG: "dict", "items": items}

    def _named(self, value: dict[str, Any], depth: int) -> Value:
        """Most values stand in a copy as they are: those are counted together, and only the others are asked."""
        found, size, others = dict[str, Value](value), 0, 0
        for key, each in value.items():
            kind = type(each)
            if kind is str:
                size += len(each)
            elif kind not in _ATOMS:
                found[key] = self.of(each, depth - 1)
                others += 1
        self.holds_tasks |= "args" in found and "task" in found
        self.is_plain &= "$" not in "".join(found)
        if others < len(found):
            self._count(size + NODE_BYTES * (len(found) - others), depth - 1)
        return found


def unkept_value(kind: type) -> Value:
    return {TAG: UNKEPT, "type": f"{kind.__module__}.{kind.__qualname__}"}


def is_signature(kind: type) -> bool:
    """Celery's canvas: a dict that knows how to send itself."""
    return any(base.__module__ == "celery.canvas" and base.__name__ == SIGNATURE for base in kind.__mro__)


def unkept(value: Value, path: str) -> Iterator[tuple[str, str]]:
    """Where something could not be kept, and its type."""
    if isinstance(value, Mapping):
        if value.get(TAG) == UNKEPT:
            yield path, str(value.get("type"))
            return
        for key, each in value.items():
            is_ours = TAG in value and key == "items"  # of a tuple: the application knows it by its places
            yield from unkept(each, path if is_ours else f"{path}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for index, each in enumerate(value):
            yield from unkept(each, f"{path}[{index}]")


# ---- leaves ----------------------------------------------------------------------------------------------------------


def _moment(value: Any) -> dict[str, Value]:
    text = value.replace(tzinfo=None).isoformat()
    fold = {"fold": value.fold} if value.fold else {}
    return {"text": text, **fold} if value.tzinfo is None else {"text": text, **fold, "zone": _zone(value.tzinfo)}


def _zone(zone: datetime.tzinfo) -> Value:
    if zone is datetime.timezone.utc:
        return "utc"
    if type(zone) is datetime.timezone:
        name, offset = zone.tzname(None), zone.utcoffset(None)
        is_named = datetime.timezone(offset).tzname(None) != name
        return {"offset": _delta(offset), **({"name": name} if is_named else {})}
    key = getattr(zone, "key", None)
    if type(zone).__module__ in ("zoneinfo", "_zoneinfo") and isinstance(key, str):
        return {"key": key}
    return unkept_value(type(zone))


def _delta(value: Any) -> list[Value]:
    return [value.days, value.seconds, value.microseconds]


_LEAVES: Final[Mapping[type, Callable[[Any], dict[str, Value]]]] = {
    Decimal: lambda value: {"text": str(value)},
    uuid.UUID: lambda value: {"text": str(value)},
    datetime.datetime: _moment,
    datetime.time: _moment,
    datetime.date: lambda value: {"text": value.isoformat()},
    datetime.timedelta: lambda value: {"parts": _delta(value)},
    complex: lambda value: {"parts": [value.real, value.imag]},
    bytearray: lambda value: {"data": bytes(value)},
}
_COLLECTIONS: Final = frozenset({tuple, set, frozenset})


# ---- back ------------------------------------------------------------------------------------------------------------


def restore(value: Value) -> Any:
    """The Python value; in place of a secret its marker, as text. Raises one of RESTORE_ERRORS."""
    if isinstance(value, Mapping):
        if TAG not in value:
            return {key: restore(each) for key, each in value.items()}
        tag = value[TAG]
        if isinstance(tag, str) and tag not in _BACK and is_marker(tag):
            return tag
        return _BACK[str(tag)](value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [restore(each) for each in value]
    return value


def _signature(value: Mapping[str, Any]) -> Any:
    from celery.canvas import Signature

    return Signature.from_dict(restore(value["value"]))


def _with_zone(naive: Any, value: Mapping[str, Any]) -> Any:
    return naive.replace(fold=value.get("fold", 0), tzinfo=_restore_zone(value["zone"]) if "zone" in value else None)


def _restore_zone(zone: Any) -> datetime.tzinfo:
    if zone == "utc":
        return datetime.timezone.utc
    if "key" in zone:
        from zoneinfo import ZoneInfo

        return ZoneInfo(zone["key"])
    offset = datetime.timedelta(*zone["offset"])
    return datetime.timezone(offset, zone["name"]) if "name" in zone else datetime.timezone(offset)


def _items(value: Mapping[str, Any]) -> list[Any]:
    return [restore(each) for each in value["items"]]


_BACK: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "dict": lambda value: {restore(key): restore(each) for key, each in value["items"]},
    "tuple": lambda value: tuple(_items(value)),
    "set": lambda value: set(_items(value)),
    "frozenset": lambda value: frozenset(_items(value)),
    "Decimal": lambda value: Decimal(value["text"]),
    "UUID": lambda value: uuid.UUID(value["text"]),
    "datetime": lambda value: _with_zone(datetime.datetime.fromisoformat(value["text"]), value),
    "time": lambda value: _with_zone(datetime.time.fromisoformat(value["text"]), value),
    "date": lambda value: datetime.date.fromisoformat(value["text"]),
    "timedelta": lambda value: datetime.timedelta(*value["parts"]),
    "complex": lambda value: complex(*value["parts"]),
    "bytearray": lambda value: bytearray(value["data"]),
    SIGNATURE: _signature,
}
