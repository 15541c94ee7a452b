"""Runs a recorded HTTP request again and says what differs. Implements `drivers.base.EntryDriver`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Final, cast

from timetracer_otel.cassette.model import Exchange, Payload, Segment, Value
from timetracer_otel.drivers.asgi import lending, shapes, tap
from timetracer_otel.drivers.asgi.bodies import SUMMED_FROM_BYTES, plain, summary
from timetracer_otel.drivers.asgi.compare import body_of, compare, headers_of, status_of
from timetracer_otel.drivers.asgi.content import content_of
from timetracer_otel.drivers.asgi.delivery import deliver, rest
from timetracer_otel.drivers.asgi.lifespan import Lifespan
from timetracer_otel.drivers.asgi.requests import compare_requests
from timetracer_otel.drivers.asgi.supplying import supplied
from timetracer_otel.drivers.asgi.tap import App
from timetracer_otel.drivers.asgi.websocket.codec import is_conversation, messages_of
from timetracer_otel.drivers.asgi.websocket.compare import numbered
from timetracer_otel.drivers.asgi.websocket.heard import MESSAGE_OVERHEAD
from timetracer_otel.drivers.base import Comparison, Outcome, Put
from timetracer_otel.errors import ReplayError

REST_MIN_S: Final = 2.0
REST_MAX_S: Final = 30.0
MESSAGES_MAX: Final = 1_000
"""Of a conversation that the report shows."""


class AsgiEntry:
    def outcome(self, exchange: Exchange) -> Outcome:
        """`status`, `headers` (pairs), `body` as people read it; `exception` with type, message and frame.

        Of a WebSocket `subprotocol`, `messages` of the app and `close` too.
        """
        result = exchange.result
        fields: dict[str, Value] = {
            "status": status_of(result),
            "headers": [[part.decode("latin-1") for part in pair] for pair in headers_of(result)],
            "body": _readable(result),
            **_conversation(result),
        }
        exception = result.get("exception")
        if isinstance(exception, dict):
            fields["exception"] = {name: exception.get(name) for name in ("type", "message", "frame")}
        return Outcome(fields)

    def compare(self, recorded: Exchange, replayed: Exchange) -> Comparison:
        return compare(recorded, replayed)

    def compare_requests(self, a: Exchange, b: Exchange) -> Comparison:
        return compare_requests(a, b)

    def supplied(self, exchange: Exchange, put: Put) -> Exchange:
        """Raises DamagedCassette."""
        shapes.check_fields(exchange)  # it is asked before `run`
        return supplied(exchange, put)

    def run(
        self,
        app: object,
        segment: Segment,
        exchange: Exchange,
        headers: Sequence[tuple[bytes, bytes]],
        entering: Callable[[Exchange], Exchange],
        raised: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Blocks until the app is shut down.

        Redacted values are sent as the markers that stand for them, but for what `entering` puts there. Raises
        ReplayError if the request cannot be sent as it was, or the app does not start; DamagedCassette.
        """
        _check(app, exchange)
        with _room_for(exchange):
            asyncio.run(_run(cast(App, app), segment, exchange, headers, entering, raised))


@contextlib.contextmanager
def _room_for(exchange: Exchange) -> Iterator[None]:
    """What was recorded, with other limits or on disk, fits into memory; an answer without end does not."""
    limits = tap.payload_max_bytes, lending.budget.max_bytes
    largest = max(cast(int, message.get("body_size", 0)) for message in (exchange.request, exchange.result))
    largest += sum(len(data) + MESSAGE_OVERHEAD for _, _, data in messages_of(exchange.result))
    tap.payload_max_bytes = max(tap.payload_max_bytes, 2 * largest)
    lending.budget.max_bytes = max(lending.budget.max_bytes, 3 * tap.payload_max_bytes)
    try:
        yield
    finally:
        tap.payload_max_bytes, lending.budget.max_bytes = limits


async def _run(
    app: App,
    segment: Segment,
    exchange: Exchange,
    headers: Sequence[tuple[bytes, bytes]],
    entering: Callable[[Exchange], Exchange],
    raised: Callable[[BaseException], None] | None,
) -> None:
    asked_ns = [each.at_ns - exchange.at_ns for each in segment.exchanges if each.id != exchange.id]
    async with Lifespan(app) as lifespan:
        before = asyncio.all_tasks()
        error = await deliver(app, entering(exchange), headers, lifespan.state, asked_ns)
        if error is not None and raised is not None:
            raised(error)
        if exchange.result.get("disconnected_ns") is not None:
            gc.collect()  # a stream that was left lies in a cycle, and holds what the lifespan's end waits for
        await rest(before, _rest_s(segment, exchange))


def _check(app: object, exchange: Exchange) -> None:
    request = exchange.request
    if not callable(app):
        raise ReplayError("app", f"{type(app).__name__} is no ASGI application", "name one as module:attribute")
    if is_conversation(request) and not exchange.result:
        reason = (exchange.dropped or {}).get("reason", "it is incomplete")
        raise ReplayError(exchange.id, f"the conversation was not kept ({reason!s})", "record it again")
    if not request:
        reason = (exchange.dropped or {}).get("reason", "it is incomplete")
        raise ReplayError(exchange.id, f"the request was not kept ({reason!s})", "record it again")
    if request.get("body_dropped"):
        problem = f"the request's body of {request.get('body_size')!r} bytes was not kept ({request['body_dropped']!s})"
        raise ReplayError(exchange.id, problem, "raise TIMETRACER_PAYLOAD_MAX and record it again")
    shapes.check(exchange)


def _rest_s(segment: Segment, exchange: Exchange) -> float:
    """As long as work went on after the response when it was recorded, and a little more."""
    start_ns = segment.root.start_ns if segment.root else 0
    ends = [span.end_ns - start_ns for span in segment.spans if start_ns]
    ends += [each.at_ns + each.duration_ns for each in segment.exchanges]
    after_ns = max([0, *(end - exchange.at_ns - exchange.duration_ns for end in ends)])
    return min(REST_MAX_S, REST_MIN_S + after_ns / 1e9)


def _conversation(result: Payload) -> dict[str, Value]:
    """Nothing for a request of HTTP."""
    if "messages" not in result:
        return {}
    said: list[Value] = [data for _, data in numbered(result, "app")]
    few = said if len(said) <= MESSAGES_MAX else [*said[:MESSAGES_MAX], f"and {len(said) - MESSAGES_MAX} more"]
    return {"subprotocol": result.get("subprotocol"), "messages": few, "close": result.get("close")}


def _readable(result: Payload) -> Value:
    """Parsed JSON, text, or the bytes; uncompressed. Of what is too large to be read only size and checksum."""
    content = content_of(headers_of(result), body_of(result))
    if content.kind == "json":
        return plain(content.value)
    if len(content.data) > SUMMED_FROM_BYTES:
        return summary(content.data)
    return content.text if content.kind == "text" else content.data


ENTRY: Final = AsgiEntry()
