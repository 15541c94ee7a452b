"""What a segment's root is to people: `GET /orders/{id}`, `500 KeyError: 'total'`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from timetracer_otel.capture.keep import SERVER_ERROR, STATUS_ATTRIBUTES
from timetracer_otel.cassette import Entry, Exchange, Payload, SpanEvent

HTTP: Final = "http.server"
TASK: Final = "task.run"
FUNCTION: Final = "function"
ENTRIES: Final = frozenset({HTTP, TASK})
"""Types of exchanges that are a root of their own."""

UNFINISHED: Final = "unfinished"
"""Outcome of an entry whose root span has not ended: the process was killed, or is at it."""


class Root(Protocol):
    """What an entry is made of, of a segment's root: a Span has it, and what is read of one quickly."""

    @property
    def span_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def status_description(self) -> str: ...
    @property
    def attributes(self) -> Payload: ...
    @property
    def events(self) -> Sequence[SpanEvent]: ...


def unfinished(name: str) -> Entry:
    """An entry of which only its name is known yet. A later part of the segment knows better."""
    return Entry(FUNCTION, name, UNFINISHED)


def entry_of(root: Root, exchanges: Sequence[Exchange]) -> Entry:
    """From the root span and what was captured of the request or task itself. All of it is redacted already."""
    found = [exchange for exchange in exchanges if exchange.type in ENTRIES]
    # A request may run tasks itself, eagerly: those are no roots.
    request = next((exchange for exchange in found if exchange.span_id == root.span_id), found[0] if found else None)
    if request is None:
        return _without_capture(root)
    app = request.request.get("app")
    outcome = _task_outcome(request.result, root) if request.type == TASK else _http_outcome(request.result, root)
    return Entry(request.type, root.name, outcome, app if isinstance(app, str) else None)


def entry_again(name: str, span_id: str, exchanges: Sequence[Exchange]) -> Entry | None:
    """Of a part without the root, which an earlier one has: where the request raised after its answer. Else None, and
    what the earlier part says holds."""
    for request in exchanges:
        exception = request.result.get("exception")
        if request.type == HTTP and request.span_id == span_id and isinstance(exception, Mapping):
            status, app = request.result.get("status"), request.request.get("app")
            outcome = _joined(status if isinstance(status, int) else SERVER_ERROR, _named(exception))
            return Entry(HTTP, name, outcome, app if isinstance(app, str) else None)
    return None


def _without_capture(root: Root) -> Entry:
    status = _status_attribute(root)
    if status is None:
        return Entry(FUNCTION, root.name, _exception(root) or "ok")
    return Entry(HTTP, root.name, _joined(status, _exception(root)))


def _http_outcome(result: Payload, root: Root) -> str:
    status, exception = result.get("status"), result.get("exception")
    error = _named(exception) if isinstance(exception, Mapping) else ""
    if isinstance(status, int):
        # FastAPI answers 500 first and raises after it, when this part is being written: the span has heard of it.
        return _joined(status, error or (_event(root) if status >= SERVER_ERROR else ""))
    return _joined(SERVER_ERROR if error else _status_attribute(root), error)


def _task_outcome(result: Payload, root: Root) -> str:
    """`SUCCESS`, `FAILURE KeyError: 'total'`; Celery's word for the state comes first."""
    state, exception = result.get("state"), result.get("exception")
    error = _named(exception) if isinstance(exception, Mapping) else "" if result else _exception(root)
    return _joined(state if isinstance(state, str) else None, error) or UNFINISHED


def _joined(status: int | str | None, error: str) -> str:
    return f"{'' if status is None else status} {error}".strip()


def _status_attribute(root: Root) -> int | None:
    found = (root.attributes.get(name) for name in STATUS_ATTRIBUTES)
    return next((status for status in found if isinstance(status, int)), None)


def _exception(root: Root) -> str:
    """The last exception event; else the description of an ERROR status."""
    return _event(root) or ((root.status_description or "ERROR") if root.status == "ERROR" else "")


def _event(root: Root) -> str:
    """The last exception event, if there is one."""
    for event in reversed(root.events):
        if event.name == "exception":
            return _error(event.attributes.get("exception.type"), event.attributes.get("exception.message"))
    return ""


def _named(exception: Payload) -> str:
    return _error(exception.get("type"), exception.get("message"))


def _error(kind: object, message: object) -> str:
    name = str(kind or "Exception").rpartition(".")[2]
    first_line = str(message or "").partition("\n")[0]
    return f"{name}: {first_line}" if first_line else name
