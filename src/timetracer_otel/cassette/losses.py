"""What a rewritten document would lose of a file: a reader passes over what it does not know, an editor may not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from timetracer_otel.cassette.values import Json

PAYLOADS: Final = frozenset(
    {
        "request",
        "result",
        "dropped",
        "attributes",
        "resource",
        "parameters",
        "packages",
        "variables",
        "scope_attributes",
    }
)
"""Read as they are, whatever they hold."""


def first_loss(text: bytes, rewritten: Json) -> str | None:
    """The place of the first thing in `text` (JSON that was loaded before) that `rewritten` does not have."""
    twice: list[str] = []
    document = json.loads(text, object_pairs_hook=_remembering(twice), parse_int=str, parse_float=str)
    if twice:
        return f"the first {twice[0]!r} of an object that has it twice"
    return next(_losses(document, rewritten, ""), None)


def _remembering(twice: list[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            twice.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return made

    return to_dict


def _losses(before: Json, after: Json, place: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            inner = f"{place}.{name}" if place else name
            if name not in after:
                yield inner
            elif name not in PAYLOADS:
                yield from _losses(value, after[name], inner)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) > len(after):
            yield f"{len(before) - len(after)} of {place}"
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _losses(one, other, f"{place}[{index}]")
