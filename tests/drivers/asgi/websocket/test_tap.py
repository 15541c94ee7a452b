"""The ear of a WebSocket: everything passes as it is; what is heard goes to disk while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from tests.drivers.asgi.parts import MemoryTape, Message, Telemetry, exchange_of, recording
from tests.drivers.asgi.websocket.parts import ACCEPT, CONNECT, GONE, Hand, said, text, ws_scope
from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import Batch, SegmentBatch
from timetracer_otel.capture.table import Captured, Spill
from timetracer_otel.config import MIB, Settings
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.asgi import around, lending
from timetracer_otel.drivers.asgi.websocket import heard, tap
from timetracer_otel.drivers.asgi.websocket.codec import messages_of
from timetracer_otel.exporters.processor import SegmentProcessor

HOOKS = ("received", "sent", "refused", "failed", "ended")


def call(app: Any, telemetry: Telemetry, hand: Hand, **scope: Any) -> Hand:
    traced = OpenTelemetryMiddleware(app, tracer_provider=telemetry.provider)
    asyncio.run(traced(ws_scope(**scope), hand.receive, hand.send))
    return hand


async def echo(scope: Message, receive: Any, send: Any) -> None:
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        data = message.get("text")
        await send(said(data if data is not None else message["bytes"]))


def test_r20_messages_pass_as_the_same_objects_in_the_same_order(tape: MemoryTape, telemetry: Telemetry) -> None:
    seen: list[Message] = []
    answers = [ACCEPT, said("a"), said(b"b"), {"type": "websocket.odd"}, {"type": "websocket.close", "code": 4000}]

    async def app(scope: Message, receive: Any, send: Any) -> None:
        for answer in answers:
            seen.append(await receive())
            await send(answer)

    given = [CONNECT, text("x"), {"type": "websocket.receive", "bytes": b"y", "text": None}, {"type": "odd"}, GONE]
    hand = call(app, telemetry, Hand(given))
    assert [id(message) for message in seen] == [id(message) for message in given]
    assert [id(message) for message in hand.sent] == [id(answer) for answer in answers]
    assert [each[1:] for each in messages_of(tape.result)] == [
        ["client", "x"],
        ["app", "a"],
        ["client", b"y"],
        ["app", b"b"],
    ]
    assert tape.result["close"] == {"code": 4000, "reason": ""}
    assert tape.result["departure"] == {"after": 4, "code": 1001, "reason": "away"}


def test_the_handshake_is_recorded(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({**ACCEPT, "subprotocol": "chat", "headers": [(b"x-room", b"7")]})
        assert (await receive()) == GONE

    call(app, telemetry, Hand([GONE]), subprotocols=["chat", "other"], extensions={"websocket.http.response": {}})
    assert tape.exchange.signature.method == "WEBSOCKET"
    assert (tape.request["type"], tape.request["subprotocols"]) == ("websocket", ["chat", "other"])
    assert tape.request["extensions"] == ["websocket.http.response"]
    assert (tape.result["status"], tape.result["subprotocol"]) == (101, "chat")
    assert tape.result["headers"] == [[b"x-room", b"7"]]
    assert tape.result["departure"] == {"after": 0, "code": 1001, "reason": "away"}


def test_a_send_that_the_server_refuses_is_recorded_and_reaches_the_app(tape: MemoryTape, telemetry: Telemetry) -> None:
    class Refusing(Hand):
        async def send(self, message: Any) -> None:
            if len(self.sent) == 2:
                raise OSError("gone")
            await super().send(message)

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await send(said("a"))
        with pytest.raises(OSError, match="gone"):
            await send(said("b"))

    call(app, telemetry, Refusing([]))
    assert tape.result["refused_at"] == 1


def test_an_exception_is_recorded_and_raised(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        raise KeyError("total")

    with pytest.raises(KeyError):
        call(app, telemetry, Hand([]))
    assert tape.result["exception"]["type"] == "builtins.KeyError"
    assert around.current() is None


# ---- to disk, in bounded memory --------------------------------------------------------------------------------------


class ListSink:
    """Implements `capture.segments.Sink`: takes what it is given, as a writer that is always in time."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self.counts: list[int] = []
        """Messages by part."""

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, batch: Batch) -> None:
        assert isinstance(batch, SegmentBatch)
        encoded = [exchange_of(captured) for captured in batch.exchanges if captured.result is not None]
        self.counts.append(sum(len(messages_of(each.result)) for each in encoded))
        assert self.recorder is not None
        self.recorder.written(batch)

    def spill(self, captured: Captured, released: Callable[[int], None]) -> Spill | None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True


def test_r40_five_thousand_messages_go_to_disk_while_they_come_and_memory_holds_few_of_them(
    telemetry: Telemetry,
) -> None:
    held: list[int] = []
    sink = ListSink()
    sink.recorder = recorder = Recorder(Settings(), sink)
    telemetry.provider.add_span_processor(SegmentProcessor(recorder))
    written_before_the_end: list[int] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        for _ in range(2_500):
            message = await receive()
            await send(said(message["text"]))
            held.append(lending.budget.held)
        written_before_the_end.append(sum(sink.counts))

    messages = (CONNECT, *(text("x" * 20_000) for _ in range(2_500)))
    with recording(recorder):
        call(app, telemetry, Hand(messages))
    assert sum(sink.counts) == 5_000
    assert written_before_the_end[0] > 4_900
    assert max(held) < MIB
    assert lending.budget.held < MIB


def test_a_session_with_few_messages_goes_to_disk_too_as_it_grows_older(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [time.monotonic_ns()]
    monkeypatch.setattr(time, "monotonic_ns", lambda: clock[0])

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        for number in range(1_000):
            clock[0] += 60 * 10**9
            await send(said(str(number)))

    call(app, telemetry, Hand([]))
    pieces = len(tape.captured) - 1
    assert 20 < pieces < 80


def test_pieces_belong_to_their_own_session_whoever_speaks_in_it(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a chat the task of one session writes to all others."""
    monkeypatch.setattr(heard, "PIECE_MESSAGES", 2)
    rooms: dict[str, Any] = {}

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        rooms[scope["path"]] = send
        if scope["path"] == "/listens":
            await asyncio.sleep(0.05)
            return
        for _ in range(3):
            await rooms["/listens"](said("from another"))

    async def main() -> None:
        traced = OpenTelemetryMiddleware(app, tracer_provider=telemetry.provider)
        listening, speaking = Hand([]), Hand([])
        first = asyncio.create_task(traced(ws_scope("/listens"), listening.receive, listening.send))
        await asyncio.sleep(0)
        await traced(ws_scope("/speaks"), speaking.receive, speaking.send)
        await first

    asyncio.run(main())
    owners = [trace.format_span_id(span.get_span_context().span_id) for span in tape.owners]  # type: ignore[union-attr]
    by_owner = dict(zip(owners, tape.captured, strict=False))
    assert len(owners) == 3
    assert owners[0] == owners[2] != owners[1]
    assert len(by_owner) == 2


def test_r40_a_message_over_the_limit_is_let_go_and_the_session_says_so(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timetracer_otel.drivers.asgi.tap.payload_max_bytes", 10_000)
    hand = call(echo, telemetry, Hand([CONNECT, text("x" * 20_000), GONE]))
    assert len(hand.sent[1]["text"]) == 20_000
    assert tape.captured[0].dropped == "limit"
    assert messages_of(tape.result) == []


def test_r40_sessions_share_one_budget(tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "budget", lending.Budget(1_000))
    hand = call(echo, telemetry, Hand([CONNECT, text("x" * 2_000), GONE]))
    assert len(hand.sent) == 2
    assert tape.captured[0].dropped == "in_flight"
    assert lending.budget.held == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.text() | st.binary()), max_size=40), st.integers(1, 5))
def test_any_conversation_is_put_together_again_from_its_pieces(said_so: list[tuple[bool, Any]], most: int) -> None:
    tape, telemetry = MemoryTape(), Telemetry()

    async def app(scope: Message, receive: Any, send: Any) -> None:
        for is_clients, data in said_so:
            await (receive() if is_clients else send(said(data)))

    given = [
        {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}
        for is_clients, data in said_so
        if is_clients
    ]
    with pytest.MonkeyPatch.context() as patched, recording(tape):
        patched.setattr(heard, "PIECE_MESSAGES", most)
        call(app, telemetry, Hand(given))
    entry, *pieces = [exchange_of(captured) for captured in tape.captured]
    whole = registry.whole(entry, [*reversed(pieces)])
    assert len(pieces) == len(said_so) // most
    assert [each[1:] for each in messages_of(whole.result)] == [
        ["client" if is_clients else "app", data] for is_clients, data in said_so
    ]
    if len(pieces) > 1:
        gap = registry.whole(entry, pieces[1:])
        assert gap.dropped == {"reason": "messages", "size": 0}


# ---- never hurts -----------------------------------------------------------------------------------------------------


async def everything(scope: Message, receive: Any, send: Any) -> None:
    with contextlib.suppress(OSError):
        await echo(scope, receive, send)
    raise LookupError("of the app")


class Refusing(Hand):
    async def send(self, message: Any) -> None:
        await super().send(message)
        if len(self.sent) == 3:
            raise OSError("gone")


def run_everything(telemetry: Telemetry) -> tuple[list[Message], list[Message], str]:
    hand = Refusing([CONNECT, text("a"), text("b"), GONE])
    with pytest.raises(LookupError) as caught:
        call(everything, telemetry, hand)
    return hand.given, hand.sent, repr(caught.value)


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("our own fault")


@pytest.mark.parametrize("hook", HOOKS)
def test_r01_a_hook_that_fails_is_counted_and_the_app_notices_nothing(
    hook: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without, plain_spans = run_everything(telemetry), telemetry.spans
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(guard, "failures", type(guard.failures)())
    monkeypatch.setattr(tap.Conversation, hook, guarded(lending.TAP)(broken))
    other = Telemetry()
    with recording(MemoryTape()), caplog.at_level(logging.WARNING, "timetracer_otel"):
        assert run_everything(other) == without
    assert guard.failures[lending.TAP] >= 1
    assert other.spans == plain_spans
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_guarded(hook: str) -> None:
    assert getattr(tap.Conversation, hook).__wrapped__ is not None


@pytest.mark.parametrize("method", ["open", "close"])
def test_a_tape_that_fails_does_not_reach_the_app(
    method: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(heard, "PIECE_MESSAGES", 1)
    with recording(MemoryTape()):
        monkeypatch.setattr(MemoryTape, method, broken)
        hand = call(echo, telemetry, Hand([CONNECT, text("a"), text("b"), GONE]))
    assert [message.get("text") for message in hand.sent] == [None, "a", "b"]
    assert around.current() is None
