"""Two bodies compared: JSON path by path, text line by line, anything else at the first byte that differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.cassette.order import is_reordered
from timetracer_otel.config import MIB
from timetracer_otel.drivers.asgi.content import Content, common_start
from timetracer_otel.drivers.asgi.noise import REDACTED, Allowance, excuse, may_be_same
from timetracer_otel.drivers.base import ABSENT

LINES_MAX: Final = 2000
"""Beyond it lines are compared by number: aligning them takes time that grows with the square."""
SHOWN_BYTES: Final = 16
SUMMED_FROM_BYTES: Final = MIB
"""Beyond it people compare checksums."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A value that differs; with `excuse` it does so for a reason that is no fault."""

    path: str
    recorded: Value
    replayed: Value
    excuse: str | None = None


def compare_bodies(recorded: Content, replayed: Content, allowance: Allowance) -> list[Deviation]:
    """Nothing if they say the same."""
    if recorded.data == replayed.data:
        return []
    if recorded.kind == replayed.kind == "json":
        try:
            return list(_json("body.$", recorded.value, replayed.value, allowance))
        except RecursionError:
            pass
    if "binary" not in (recorded.kind, replayed.kind):
        return list(_text(recorded.text, replayed.text, allowance))
    return list(_binary(recorded.data, replayed.data, allowance))


def plain(value: Any) -> Value:
    """A value of parsed JSON (Any) for the report."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _list(path: str, recorded: list[Any], replayed: list[Any], allowance: Allowance) -> Iterator[Deviation]:
    """By index; where only the order is another one, that is one deviation of the list."""
    pairs = enumerate(zip_longest(recorded, replayed, fillvalue=_NOTHING))
    found = [each for index, (was, now) in pairs for each in _member(f"{path}[{index}]", was, now, allowance)]
    if any(each.excuse is None for each in found) and is_reordered(recorded, replayed):
        yield Deviation(path, plain(recorded), plain(replayed))
    else:
        yield from found


def _json(path: str, recorded: Any, replayed: Any, allowance: Allowance) -> Iterator[Deviation]:
    """Objects by name in any order, lists by index; 1 and 1.0 are not the same."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        for name in dict.fromkeys([*recorded, *replayed]):
            yield from _member(
                f"{path}{_step(name)}", recorded.get(name, _NOTHING), replayed.get(name, _NOTHING), allowance
            )
    elif isinstance(recorded, list) and isinstance(replayed, list):
        yield from _list(path, recorded, replayed, allowance)
    elif type(recorded) is not type(replayed) or recorded != replayed:
        yield Deviation(path, plain(recorded), plain(replayed), excuse(recorded, replayed, allowance))


_NOTHING: Final = object()


def _member(path: str, recorded: Any, replayed: Any, allowance: Allowance) -> Iterator[Deviation]:
    if recorded is _NOTHING or replayed is _NOTHING:
        yield Deviation(path, _shown(recorded), _shown(replayed))
    else:
        yield from _json(path, recorded, replayed, allowance)


def _shown(member: Any) -> Value:
    return ABSENT if member is _NOTHING else plain(member)


def _step(name: str) -> str:
    return f".{name}" if name.replace("-", "_").isidentifier() else f"[{name!r}]"


def _text(recorded: str, replayed: str, allowance: Allowance) -> Iterator[Deviation]:
    """Lines count from 1, as editors count."""
    was, now = recorded.splitlines(), replayed.splitlines()
    if len(was) == len(now) and (lines := _other_end(recorded, replayed)) is not None:
        yield Deviation("body", *(line[-SHOWN_BYTES:] for line in lines))
    for first, last, start, stop in _blocks(was, now):
        if last - first == stop - start:
            for index, (old, new) in enumerate(zip(was[first:last], now[start:stop], strict=True), start=first + 1):
                if old != new:
                    yield Deviation(f"body.line[{index}]", old, new, excuse(old, new, allowance))
        else:
            yield Deviation(f"body.line[{first + 1}]", "\n".join(was[first:last]), "\n".join(now[start:stop]))


def _other_end(recorded: str, replayed: str) -> tuple[str, str] | None:
    """The first line that ends otherwise, with its ends: those show that more differs than what the line says."""
    lines = zip(recorded.splitlines(keepends=True), replayed.splitlines(keepends=True), strict=True)
    return next(((was, now) for was, now in lines if _line_end(was) != _line_end(now)), None)


def _line_end(line: str) -> str:
    """What `splitlines` takes away."""
    return line[len(line.splitlines()[0]) :]


def _blocks(was: list[str], now: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where lines differ: first and last recorded one, first and last replayed one."""
    if len(was) == len(now) or max(len(was), len(now)) > LINES_MAX:
        shortest = min(len(was), len(now))
        yield 0, shortest, 0, shortest
        if len(was) != len(now):
            yield shortest, len(was), shortest, len(now)
        return
    for kind, first, last, start, stop in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if kind != "equal":
            yield first, last, start, stop


def _binary(recorded: bytes, replayed: bytes, allowance: Allowance) -> Iterator[Deviation]:
    if may_be_same(recorded.decode("latin-1"), replayed.decode("latin-1"), allowance):
        yield Deviation("body", len(recorded), len(replayed), REDACTED)
        return
    first = common_start(recorded, replayed)
    shown = slice(first, first + SHOWN_BYTES)
    yield Deviation(f"body[{first}]", recorded[shown], replayed[shown])
    if len(recorded) != len(replayed):
        yield Deviation("body.length", len(recorded), len(replayed))
    if max(len(recorded), len(replayed)) > SUMMED_FROM_BYTES:
        yield Deviation("body.sha256", _sha256(recorded), _sha256(replayed))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def summary(data: bytes) -> dict[str, Value]:
    """What is said of a body that is too large to be shown."""
    return {"size": len(data), "sha256": _sha256(data)}
