"""What a message asks of the broker, in the form that matching compares: its signature and options, leaf by leaf.

Left out is what no task can see or choose: trace headers, spellings for logs, and, as Celery names them, who sent the
message and where answers go. The same names with values of the application's count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.celery.heard import OPTIONS
from timetracer_otel.drivers.celery.names import LIB, RESULT, TRACE_HEADERS
from timetracer_otel.drivers.celery.typed import SIGNATURE as CANVAS
from timetracer_otel.drivers.celery.typed import TAG
from timetracer_otel.redaction import MARKER

NOISE: Final = TRACE_HEADERS | {"argsrepr", "kwargsrepr"}
"""Of the headers and properties of a message, and of the options of one that waits in it."""
OF_PROCESS: Final = {
    "origin": re.compile(r"gen\d+@.*"),
    "reply_to": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[35][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"),
}
"""Noise in this form only. Source: celery 5.4, `anon_nodename`; kombu 5.3, `generate_oid`."""
PLAIN_NAME: Final = re.compile(r"[\w#:$@-]+")
MESSAGE: Final = ("headers", "properties")
MESSAGE_KEYS: Final = frozenset({"task", "args", "kwargs", "options"})
"""What a message that waits in another has: in a chain, as a callback, as the body of a chord."""
ARGUMENTS: Final = ("args", "kwargs")
PARTS: Final = ("args", "kwargs", "embed", "headers", "properties", "exchange", "routing_key", *OPTIONS)
DUE: Final = ("eta", "expires")
"""Instants that Celery counts from now: a countdown is an `eta` by the time it is sent."""
TTL: Final = "expiration"
"""The property that Celery makes of `expires`; of an instant it counts the seconds from now. Source: celery 5.7,
`Celery.send_task`."""
SECOND_NS: Final = 1_000_000_000
CLOCK_SLACK_S: Final = 1.0
DUES_MAX: Final = 50
"""Of recorded messages that are due as soon, so many are tried."""


def question_of(exchange: Exchange) -> Question:
    """Of a recorded message or read."""
    if exchange.type == RESULT:
        return read_question(exchange.signature.method, str(exchange.request.get("task_id", "")))
    return question(exchange.type, exchange.signature.method, exchange.signature.url, exchange.request)


def question(kind: str, method: str, url: str, request: Payload) -> Question:
    slots = [slot for part in PARTS for slot in _slots(request.get(part), part, part in ARGUMENTS, part in MESSAGE)]
    return Question(LIB, method, url, shape=(kind, method, url), text=f"{method} {url}", slots=tuple(slots))


def read_question(method: str, task_id: str) -> Question:
    """How a read is matched: by what is read, and of which task."""
    slot = Slot("task_id", ("str", task_id), task_id, text=task_id)
    return Question(LIB, method, "", shape=(RESULT, method), text=f"{method} result", slots=(slot,))


def _slots(value: Value, path: str, is_data: bool, is_about: bool = False) -> Iterator[Slot]:
    """`is_data`: what looks like a message is the application's own. `is_about`: here stands what is said about a
    message, noise among it."""
    if isinstance(value, Mapping) and value:
        is_data = is_data and value.get(TAG) != CANVAS
        is_waiting = not is_data and MESSAGE_KEYS.issubset(value)
        for key in sorted(value):
            if not (is_about and _is_noise(key, value[key])):
                is_inside = (is_waiting and key == "options") or (is_about and key == "headers")
                yield from _slots(value[key], _member(path, key), is_data, is_inside)
    elif isinstance(value, Sequence) and value and not isinstance(value, (str, bytes)):
        for index, each in enumerate(value):
            yield from _slots(each, f"{path}[{index}]", is_data)
    else:
        text = value if isinstance(value, str) else None
        yield Slot(path, _key(value), value, text, is_detail=not path.startswith(ARGUMENTS))


def _member(path: str, name: str) -> str:
    """A name that could be read as a path of its own is quoted."""
    return f"{path}.{name}" if PLAIN_NAME.fullmatch(name) else f"{path}[{name!r}]"


def _is_noise(name: str, value: Value) -> bool:
    if name not in OF_PROCESS or not isinstance(value, str):
        return name in NOISE
    # A host with a domain makes an origin that is masked as an e-mail address.
    return OF_PROCESS[name].fullmatch(value) is not None or MARKER.search(value) is not None


def _key(value: Value) -> Hashable:
    """1, 1.0 and True are three; nan is itself."""
    return type(value).__name__, repr(value)


# ---- instants --------------------------------------------------------------------------------------------------------


def as_recorded(request: Payload, recorded: Sequence[Exchange]) -> Iterator[Payload]:
    """The request with `eta` and `expires` as a recorded message has them which is due as soon after it was sent: a
    countdown is the same however late it begins. Of several such messages one with these arguments first; the request
    itself where there is none."""
    dues: dict[tuple[Value, ...], Payload] = {}
    if any(_header(request, name) for name in DUE):
        for exchange in sorted(recorded, key=lambda each: _strangeness(request, each.request)):
            if _distance_s(request, exchange.request) < CLOCK_SLACK_S and len(dues) < DUES_MAX:
                dues.setdefault(_dues(exchange.request), exchange.request)
    for other in dues.values():
        yield _due_as(request, other)
    if not dues:
        yield request


def _dues(request: Payload) -> tuple[Value, ...]:
    return (*(_header(request, name) for name in DUE), _member_of(request, "properties", TTL))


def _due_as(request: Payload, other: Payload) -> Payload:
    changed = {name: found for name in DUE if (found := _header(other, name))}
    due: dict[str, Value] = {**request, "headers": {**_part(request, "headers"), **changed}}
    ttl, recorded = (_member_of(each, "properties", TTL) for each in (request, other))
    is_counted = isinstance(ttl, float) and isinstance(recorded, float) and "expires" in changed
    if is_counted and abs(ttl - recorded) < CLOCK_SLACK_S:
        due["properties"] = {**_part(request, "properties"), TTL: recorded}
    return due


def _strangeness(request: Payload, other: Payload) -> tuple[bool, float]:
    is_other = any(request.get(part) != other.get(part) for part in PARTS[:2])
    return is_other, _distance_s(request, other)


def _distance_s(request: Payload, other: Payload) -> float:
    """By how much the one is due sooner than the other, counted from when each was sent."""
    waits = [(_wait_s(name, request), _wait_s(name, other)) for name in DUE]
    if any((now is None) != (was is None) for now, was in waits):
        return math.inf
    return max(abs(now - was) if now is not None and was is not None else 0.0 for now, was in waits)


def _wait_s(name: str, request: Payload) -> float | None:
    """Seconds from the publish until then; None where the header is not set."""
    text, published_ns = _header(request, name), request.get("published_ns")
    if not isinstance(text, str) or not isinstance(published_ns, int):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment.timestamp() - published_ns / SECOND_NS


def _header(request: Payload, name: str) -> Any:
    return _member_of(request, "headers", name)


def _member_of(request: Payload, part: str, name: str) -> Any:
    return _part(request, part).get(name)


def _part(request: Payload, part: str) -> Mapping[str, Value]:
    found = request.get(part)
    return found if isinstance(found, Mapping) else {}
