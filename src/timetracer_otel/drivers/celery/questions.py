"""What a message asks of the broker, in the form that matching compares: its signature and options, leaf by leaf.

Left out is what no task can see or choose: trace headers, who sent it, where answers go, spellings for logs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.drivers.celery.heard import OPTIONS
from timetracer_otel.drivers.celery.names import LIB, RESULT, TRACE_HEADERS

NOISE: Final = TRACE_HEADERS | {"argsrepr", "kwargsrepr", "origin", "reply_to", "lang", "task"}
"""Of the headers and properties of a message."""
PARTS: Final = ("args", "kwargs", "embed", "headers", "properties", "exchange", "routing_key", *OPTIONS)
DUE: Final = ("eta", "expires")
"""Instants that Celery counts from now: a countdown is an `eta` by the time it is sent."""
SECOND_NS: Final = 1_000_000_000
CLOCK_SLACK_S: Final = 1.0


def question_of(exchange: Exchange) -> Question:
    """Of a recorded message or read."""
    if exchange.type == RESULT:
        return read_question(exchange.signature.method, str(exchange.request.get("task_id", "")))
    return question(exchange.type, exchange.signature.method, exchange.signature.url, exchange.request)


def question(kind: str, method: str, url: str, request: Payload) -> Question:
    slots = [slot for part in PARTS for slot in _slots(request.get(part), part)]
    return Question(LIB, method, url, shape=(kind, method, url), text=f"{method} {url}", slots=tuple(slots))


def read_question(method: str, task_id: str) -> Question:
    """How a read is matched: by what is read, and of which task."""
    slot = Slot("task_id", ("str", task_id), task_id, text=task_id)
    return Question(LIB, method, "", shape=(RESULT, method), text=f"{method} result", slots=(slot,))


def _slots(value: Value, path: str) -> Iterator[Slot]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            if key in NOISE and _is_message(path):
                continue
            yield from _slots(value[key], f"{path}.{key}")
    elif isinstance(value, Sequence) and value and not isinstance(value, (str, bytes)):
        for index, each in enumerate(value):
            yield from _slots(each, f"{path}[{index}]")
    else:
        yield Slot(path, _key(value), value, text=value if isinstance(value, str) else None)


def _is_message(path: str) -> bool:
    """True outside of the arguments: a chain and a callback are messages to come, with options of their own."""
    return not path.startswith(("args", "kwargs")) and not path.endswith((".args", ".kwargs"))


def _key(value: Value) -> Hashable:
    """1, 1.0 and True are three; nan is itself."""
    return type(value).__name__, repr(value)


# ---- instants --------------------------------------------------------------------------------------------------------


def as_recorded(request: Payload, recorded: Sequence[Exchange]) -> Payload:
    """The request with `eta` and `expires` as a recorded message has them which is due as soon after it was sent: a
    countdown is the same however late it begins."""
    headers = request.get("headers")
    if not isinstance(headers, Mapping):
        return request
    same = {name: found for name in DUE if (found := _as_soon(name, request, recorded)) is not None}
    return {**request, "headers": {**headers, **same}} if same else request


def _as_soon(name: str, request: Payload, recorded: Sequence[Exchange]) -> str | None:
    wait_s, near = _wait_s(name, request), list[tuple[float, str]]()
    for exchange in recorded:
        was_s = _wait_s(name, exchange.request)
        if was_s is not None and wait_s is not None:
            near.append((abs(was_s - wait_s), str(_header(exchange.request, name))))
    distance_s, text = min(near, default=(CLOCK_SLACK_S, ""))
    return text if distance_s < CLOCK_SLACK_S else None


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
    headers = request.get("headers")
    return headers.get(name) if isinstance(headers, Mapping) else None
