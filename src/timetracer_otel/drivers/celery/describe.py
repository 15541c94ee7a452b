"""What a task, a message and a read of a result say to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.base import Description
from timetracer_otel.drivers.celery.names import PUBLISH, RESULT, RUN
from timetracer_otel.drivers.celery.written import written


class CeleryDescribing:
    """Its exchanges are readable as they are."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.type == RESULT:
            return _read(exchange)
        if exchange.type not in (RUN, PUBLISH):
            return None
        arguments = list(_sequence(exchange.request.get("args")))
        named = exchange.request.get("kwargs")
        traceback = _exception(exchange).get("traceback")
        return Description(
            text=words(exchange.request.get("task", exchange.signature.url)),
            values=[written(each) for each in ([*arguments, named] if named else arguments)],
            outcome=_outcome(exchange),
            traceback=traceback if isinstance(traceback, str) else None,
        )

    def readable(self, exchange: Exchange) -> Exchange:
        return exchange


DESCRIBING: Final = CeleryDescribing()


def _read(exchange: Exchange) -> Description:
    meta = exchange.result.get("meta")
    state = meta.get("status") if isinstance(meta, Mapping) else None
    outcome = "timed out" if exchange.result.get("timed_out") else "" if state is None else words(state)
    text = f"{words(exchange.signature.method)} {words(exchange.request.get('task_id', ''))}"
    return Description(text=text, outcome=outcome)


def _sequence(arguments: Value) -> Sequence[Value]:
    """A list, or a tuple as `typed` writes it."""
    if isinstance(arguments, Mapping):
        arguments = arguments.get("items")
    return arguments if isinstance(arguments, (list, tuple)) else ()


def _outcome(exchange: Exchange) -> str:
    state, exception = exchange.result.get("state"), _exception(exchange)
    kind, message = words(exception.get("type")).rpartition(".")[2], words(exception.get("message"))
    shown = "" if state is None else words(state)
    return f"{shown} {kind}: {message}".strip() if exception else shown


def _exception(exchange: Exchange) -> Mapping[str, Value]:
    found = exchange.result.get("exception")
    return found if isinstance(found, Mapping) else {}
