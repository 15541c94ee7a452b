"""Celery in replay: brokers and result backends of every app are answered from the cassette; a task runs again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from timetracer_otel.cassette.model import Exchange, Payload, Segment, Value
from timetracer_otel.drivers.base import Comparison, Outcome, Put, Question, ReplayHost
from timetracer_otel.drivers.celery import compare, publishing, questions
from timetracer_otel.drivers.celery.codec import SPELLED
from timetracer_otel.drivers.celery.names import LIB, RUN
from timetracer_otel.drivers.markers import put_into
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches

LOST: Final = "replay cannot redirect it"
SHOWN: Final = ("type", "message", "frame")


class CeleryReplaying:
    """Implements `drivers.base.Replaying`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self, host: ReplayHost) -> None:
        if self._patches:
            return
        from celery.app.base import Celery
        from kombu.connection import Connection

        require(LIB, [(Celery, "_get_backend"), (Connection, "get_transport_cls")], LOST)
        from timetracer_otel.drivers.celery import calling
        from timetracer_otel.drivers.celery.backend import backend_of
        from timetracer_otel.drivers.celery.transport import Broker, transport_of

        transport = transport_of(Broker(host))

        def get_transport_cls(connection: Any) -> Any:
            return transport

        def _get_backend(app: Any) -> Any:
            return backend_of(app, host)

        self._patches.put(Connection, "get_transport_cls", get_transport_cls)
        self._patches.put(Celery, "_get_backend", _get_backend)
        if (recorded := host.entry()) is not None and recorded.type == RUN:
            calling.install(self._patches, recorded)
        publishing.is_replaying = True

    def uninstall(self) -> None:
        publishing.is_replaying = False
        self._patches.undo()

    def question(self, exchange: Exchange) -> Question:
        return questions.question_of(exchange)


class CeleryEntry:
    """Implements `drivers.base.EntryDriver`."""

    def outcome(self, exchange: Exchange) -> Outcome:
        """`state`, and what there is of `return_value`, `exception` (type, message, frame) and `retry`."""
        fields: dict[str, Value] = {}
        for name in ("state", "return_value", "retry"):
            if name in exchange.result:
                fields[name] = exchange.result[name]
        exception = exchange.result.get("exception")
        if isinstance(exception, Mapping):
            fields["exception"] = {name: exception.get(name) for name in SHOWN}
        return Outcome(fields)

    def compare(self, recorded: Exchange, replayed: Exchange) -> Comparison:
        return compare.compare(recorded, replayed)

    def compare_requests(self, a: Exchange, b: Exchange) -> Comparison:
        return compare.compare_requests(a, b)

    def supplied(self, exchange: Exchange, put: Put) -> Exchange:
        context = exchange.request.get("context")
        context = context if isinstance(context, Mapping) else {}
        # What Celery spells of the arguments, for logs, is masked as a whole and stays so.
        asked: Payload = {
            **{name: exchange.request[name] for name in ("args", "kwargs") if name in exchange.request},
            "context": {name: value for name, value in context.items() if name not in SPELLED},
        }
        found = cast("dict[str, Any]", put_into(asked, put))
        if found is asked:
            return exchange
        request = {**exchange.request, **found, "context": {**context, **found["context"]}}
        return replace(exchange, request=request)

    def run(
        self,
        app: object,
        segment: Segment,
        exchange: Exchange,
        headers: Sequence[tuple[bytes, bytes]],
        entering: Callable[[Exchange], Exchange],
        raised: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Blocks until the task has ended, as a worker would run it. Raises ReplayError."""
        from timetracer_otel.drivers.celery.running import run

        run(app, exchange, headers, entering, raised)


REPLAYING: Final = CeleryReplaying()
ENTRY: Final = CeleryEntry()
