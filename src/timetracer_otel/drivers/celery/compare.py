"""The recorded outcome of a task against the replayed one; and what two tasks were asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import ABSENT, Comparison, Difference, Ignored
from timetracer_otel.drivers.celery.names import LEFT_OUT, STATES, TRACE_HEADERS
from timetracer_otel.drivers.celery.questions import PARTS
from timetracer_otel.drivers.celery.typed import TAG, UNKEPT
from timetracer_otel.drivers.markers import are_swapped, digits_in
from timetracer_otel.redaction import MARKER
from timetracer_otel.redaction.markers import unmarked

NOT_KEPT: Final = "of a type that cannot be kept: only the type is compared"
OTHER_PLACES: Final = "the same steps of the app, in other files or lines, or by other ways through libraries"
REDACTED: Final = "redacted: the values cannot be compared"
ADDRESS: Final = "a memory address"
TIMED_OUT: Final = "celery.exceptions.TimeoutError"

_FRAME: Final = re.compile(
    r'^ +File "(?P<file>[^"\n]*)", line \d+, in (?P<step>[^\n]*\n(?:    [^\n]*\n)*)', re.MULTILINE
)
_LIBRARY: Final = re.compile(r"[/\\](?:site-packages|dist-packages|python3\.\d+|timetracer_otel)[/\\]")
_MARKS: Final = re.compile(r"^\s*[~^]+\s*\n", re.MULTILINE)
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Redacted(Ignored):
    """Two texts that differ in secrets."""

    was: str
    now: str


Found = Difference | Ignored


def compare(recorded: Exchange, replayed: Exchange) -> Comparison:
    """State, return value, exception with its causes and traceback, retry, the states that it gave itself.

    `recorded` has the request that was sent.
    """
    was, now = recorded.result, replayed.result
    found = [
        *_values(was.get("state"), now.get("state"), "state"),
        *_member(was, now, "return_value", "return_value"),
        *_values(_retry(was), _retry(now), "retry"),
        *_exceptions(_exception(was), _exception(now)),
        *_states(was, now),
    ]
    known = digits_in(recorded.request) | digits_in(replayed.request)
    return _sorted([_unexcused(each, known) for each in found])


def _unexcused(each: Found, known: frozenset[str]) -> Found:
    if isinstance(each, Redacted) and are_swapped(each.was, each.now, known):
        return Difference(each.path, each.was, each.now)
    return each


def compare_requests(a: Exchange, b: Exchange) -> Comparison:
    """Of two recorded tasks: name, arguments, and what the message said besides."""
    found: list[Found] = [*_values(a.request.get("task"), b.request.get("task"), "task")]
    for part in PARTS[:2]:
        found += _values(a.request.get(part), b.request.get(part), part)
    found += _values(_asked(a), _asked(b), "context")
    return _sorted(found)


def _asked(exchange: Exchange) -> Value:
    context = exchange.request.get("context")
    fields = context if isinstance(context, Mapping) else {}
    return {name: value for name, value in fields.items() if name not in TRACE_HEADERS and name != "headers"}


def _sorted(found: Sequence[Found]) -> Comparison:
    return Comparison(
        tuple(each for each in found if isinstance(each, Difference)),
        tuple(each for each in found if isinstance(each, Ignored)),
    )


# ---- values ----------------------------------------------------------------------------------------------------------


def _values(was: Value, now: Value, path: str) -> Iterator[Found]:
    """Leaf by leaf; exact in type."""
    if isinstance(was, Mapping) and isinstance(now, Mapping) and was.get(TAG) == now.get(TAG):
        yield from _mappings(was, now, path)
    elif _is_list(was) and _is_list(now) and len(_sequence(was)) == len(_sequence(now)):
        for index, (old, new) in enumerate(zip(_sequence(was), _sequence(now), strict=True)):
            yield from _values(old, new, f"{path}[{index}]")
    elif type(was) is not type(now) or repr(was) != repr(now):
        yield _difference(was, now, path)


def _is_list(value: Value) -> bool:
    return isinstance(value, (list, tuple))


def _mappings(was: Mapping[str, Value], now: Mapping[str, Value], path: str) -> Iterator[Found]:
    tag = was.get(TAG)
    if tag == UNKEPT and was == now:
        yield Ignored(path, f"{NOT_KEPT} ({was.get('type')})")
    elif tag in ("set", "frozenset"):
        old, new = (sorted(map(repr, _sequence(each.get("items")))) for each in (was, now))
        if old != new:
            yield Difference(path, was, now)
    else:
        for key in dict.fromkeys([*was, *now]):
            step = path if tag is not None else f"{path}.{key}"
            yield from _member(was, now, key, step)


def _member(was: Mapping[str, Value], now: Mapping[str, Value], key: str, path: str) -> Iterator[Found]:
    """None is a value, and another one than none at all."""
    if key in was and key in now:
        yield from _values(was[key], now[key], path)
    elif key in was or key in now:
        yield Difference(path, was.get(key, ABSENT), now.get(key, ABSENT))


def _sequence(value: Value) -> Sequence[Value]:
    return value if isinstance(value, (list, tuple)) else ()


def _difference(was: Value, now: Value, path: str) -> Found:
    return _excused(was, now, path) if isinstance(was, str) and isinstance(now, str) else Difference(path, was, now)


def _excused(was: str, now: str, path: str) -> Found:
    if MARKER.search(was) and unmarked(was) == unmarked(now):
        return Redacted(path, REDACTED, was, now)
    is_alike = _ADDRESS.sub("", was) == _ADDRESS.sub("", now)
    return Ignored(path, ADDRESS) if is_alike else Difference(path, was, now)


def _states(was: Payload, now: Payload) -> Iterator[Found]:
    """Those of both, one by one; of which one has more, the first that the other has not."""
    if STATES not in was or STATES not in now:  # older recordings have none, and an end that never came has not either
        return
    old, new = (_sequence(each[STATES]) for each in (was, now))
    for index in range(min(len(old), len(new))):
        yield from _values(old[index], new[index], f"{STATES}[{index}]")
    if len(old) != len(new):
        index = min(len(old), len(new))
        first, other = (each[index] if index < len(each) else ABSENT for each in (old, new))
        yield Difference(f"{STATES}[{index}]", first, other)
    yield from _member(was, now, LEFT_OUT, LEFT_OUT)


# ---- exceptions ------------------------------------------------------------------------------------------------------


def _exception(result: Payload) -> Payload:
    found = result.get("exception")
    return found if isinstance(found, Mapping) else {}


def _retry(result: Payload) -> Value:
    found = result.get("retry")
    return found.get("when") if isinstance(found, Mapping) else None


def _exceptions(was: Payload, now: Payload) -> Iterator[Found]:
    found = [*_values(was.get("type"), now.get("type"), "exception.type")]
    found += _values(was.get("message"), now.get("message"), "exception.message")
    if was and now:
        found += _values(_causes(was), _causes(now), "exception.causes")
    yield from found
    if not any(isinstance(each, Difference) for each in found):  # else the traceback only says the same once more
        yield from _tracebacks(was.get("traceback"), now.get("traceback"))


def _causes(exception: Payload) -> list[Value]:
    """Without what is behind a time-out of Celery: each result backend waits in its own way."""
    found: list[Value] = []
    kind = exception.get("type")
    for cause in _sequence(exception.get("causes")):
        if kind == TIMED_OUT:
            break
        found.append(cause)
        kind = cause.get("type") if isinstance(cause, Mapping) else None
    return found


def _tracebacks(was: Value, now: Value) -> Iterator[Found]:
    if was == now or not isinstance(was, str) or not isinstance(now, str):
        return
    old, new = _steps(was), _steps(now)
    is_same = old == new or isinstance(_excused(old, new, ""), Ignored)
    yield Ignored("exception.traceback", OTHER_PLACES) if is_same else Difference("exception.traceback", was, now)


def _steps(text: str) -> str:
    """Those of the app, without folders and line numbers: the laptop has the code elsewhere, and no broker."""
    return "".join(_MARKS.sub("", each["step"]) for each in _FRAME.finditer(text) if not _LIBRARY.search(each["file"]))
