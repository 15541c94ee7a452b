"""Arguments as Python writes what the worker had: for people, who know no form of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from timetracer_otel.cassette.escaping import shown, words
from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.celery.typed import RESTORE_ERRORS, SIGNATURE, TAG, UNKEPT, restore

AROUND: Final = {"tuple": "()", "set": "{}", "frozenset": "{}"}


class _Text(str):
    """Prints as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def written(value: Value) -> Value:
    """The same, with each value that JSON has not as a text that prints without quotes."""
    if isinstance(value, Mapping):
        return _Text(_written(value)) if TAG in value else {name: written(each) for name, each in value.items()}
    return [written(each) for each in value] if isinstance(value, (list, tuple)) else value


def _written(value: Mapping[str, Value]) -> str:
    kind, items = words(value[TAG]), value.get("items")
    if kind == UNKEPT:
        return f"<{value.get('type')}, not kept>"
    if kind == SIGNATURE:  # Celery would have to be loaded
        return f"Signature({shown(written(value.get('value')))})"
    if kind in AROUND and isinstance(items, (list, tuple)):
        return _collection(kind, [shown(written(each)) for each in items])
    if kind == "dict" and isinstance(items, (list, tuple)):
        pairs = [each for each in items if isinstance(each, (list, tuple)) and len(each) == 2]
        return f"{{{', '.join(f'{shown(written(key))}: {shown(written(each))}' for key, each in pairs)}}}"
    try:
        return repr(restore(value))
    except RESTORE_ERRORS:  # nothing that we wrote
        return shown(value)


def _collection(kind: str, items: list[str]) -> str:
    if not items and kind != "tuple":
        return f"{kind}()"
    around = AROUND[kind]
    comma = "," if kind == "tuple" and len(items) == 1 else ""
    text = f"{around[0]}{', '.join(items)}{comma}{around[1]}"
    return f"frozenset({text})" if kind == "frozenset" else text
