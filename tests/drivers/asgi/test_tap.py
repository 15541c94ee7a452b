from __future__ import annotations

import asyncio
import gc
import logging
import re
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from tests.drivers.asgi.parts import Client, MemoryTape, Message, Telemetry, call, exchange_of, http_scope, recording
from timetracer_otel.capture import guard, table
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import SegmentBatch
from timetracer_otel.config import Settings
from timetracer_otel.drivers.asgi import around, body, heard, lending, tap
from timetracer_otel.exporters.processor import SegmentProcessor

START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def chunk(body: Any, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def answer(body: Any, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def hello(scope: Message, receive: Any, send: Any) -> None:
    await send(START)
    await send(answer(b"hello"))


def traced(app: Any, telemetry: Telemetry, **options: Any) -> Any:
    return OpenTelemetryMiddleware(app, tracer_provider=telemetry.provider, **options)


def ear(app: Any) -> Any:
    return tap.CaptureMiddleware(app, None)


def sending(*messages: Message, read: int = 0) -> Any:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        for _ in range(read):
            await receive()
        for message in messages:
            await send(message)

    return app


# ---- R20: the recorder only listens ----------------------------------------------------------------------------------


def test_r20_messages_are_passed_on_as_the_same_objects_in_the_same_order(
    tape: MemoryTape, telemetry: Telemetry
) -> None:
    got: list[Message] = []
    sent = [START, answer(b"one", more=True), answer(b"two")]
    client = Client([chunk(b"a", more=True), chunk(b"b")])

    async def app(scope: Message, receive: Any, send: Any) -> None:
        got.append(await receive())
        await send(sent[0])
        await send(sent[1])
        got.append(await receive())
        await send(sent[2])

    call(traced(app, telemetry), client=client)
    assert list(map(id, got)) == list(map(id, client.given))
    assert list(map(id, client.sent)) == list(map(id, sent))
    assert client.events == [
        "receive http.request",
        "send http.response.start",
        "send http.response.body",
        "receive http.request",
        "send http.response.body",
    ]


def test_r20_a_body_that_the_app_does_not_read_stays_unread(tape: MemoryTape, telemetry: Telemetry) -> None:
    client = call(traced(hello, telemetry), client=Client([chunk(b"never asked for")]))
    assert client.received == []
    assert tape.request["body"] == []
    assert tape.request["ended"] is False


def test_r20_beyond_the_limit_nothing_is_kept_and_the_size_is_still_counted(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "payload_max_bytes", 100_000)
    pieces = [chunk(b"x" * 40_000, more=True)] * 3 + [chunk(b"end")]
    received = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        received.extend([await receive() for _ in pieces])
        await send(START)
        await send(answer(b"thanks"))

    call(traced(app, telemetry), client=Client(pieces))
    request = tape.request
    assert received == pieces
    assert (request["body"], request["body_size"], request["body_dropped"]) == ([], 120_003, "limit")
    assert tape.captured[0].dropped == "limit"
    assert tape.result["body"] != []
    assert lending.budget.held == len(b"thanks") + body.CHUNK_OVERHEAD
    tape.captured.clear()
    tape.closes.clear()
    assert lending.budget.held == 0


def test_r20_requests_in_flight_share_one_budget(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "budget", lending.Budget(50_000))
    app = traced(sending(START, answer(b"ok"), read=1), telemetry)
    assert lending.budget.take(20_000)
    call(app, client=Client([chunk(b"x" * 40_000)]))
    assert tape.captured[0].dropped == "in_flight"
    lending.budget.give(20_000)
    call(app, client=Client([chunk(b"x" * 40_000)]))
    assert tape.captured[1].dropped is None


def test_a_million_tiny_chunks_are_not_free(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tap, "payload_max_bytes", 10_000)
    call(traced(sending(START, *[answer(b".", more=True)] * 1000, answer(b"")), telemetry))
    assert tape.result["body_dropped"] == "limit"
    assert tape.result["body_size"] == 1000


def test_buffers_that_may_change_are_copied_and_bytes_are_not(tape: MemoryTape, telemetry: Telemetry) -> None:
    buffer, data = bytearray(b"before"), b"immutable"

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        await send(answer(buffer, more=True))
        buffer[:] = b"after!"
        await send(answer(memoryview(b"view"), more=True))
        await send(answer(data))

    call(traced(app, telemetry))
    response = tape.captured[0].result
    assert isinstance(response, heard.HeardResponse)
    assert [piece for _, piece in response.body.chunks] == [b"before", b"view", b"immutable"]
    assert response.body.chunks[-1][1] is data


def test_chunks_carry_the_time_at_which_they_passed(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send(START)
        await send(answer(b"one", more=True))
        await asyncio.sleep(0.05)
        await send(answer(b"two"))

    call(traced(app, telemetry))
    (first, _), (second, _) = tape.result["body"]
    assert 50_000_000 <= second - first < 5_000_000_000


# ---- what is heard ---------------------------------------------------------------------------------------------------


def test_the_exchange_belongs_to_the_server_span_and_is_closed_before_that_ends(telemetry: Telemetry) -> None:
    ended_at_close: list[bool] = []

    class Watching(MemoryTape):
        def close(self, *args: Any, **kwargs: Any) -> None:
            ended_at_close.append(self.owners[0].end_time is not None)
            super().close(*args, **kwargs)

    tape = Watching()
    with recording(tape):
        call(traced(hello, telemetry))
    assert ended_at_close == [False]
    assert tape.owners[0].kind.name == "SERVER"


def test_trailers_are_waited_for(tape: MemoryTape, telemetry: Telemetry) -> None:
    closed_when_sent: list[int] = []
    trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")], "more_trailers": False}

    class Watching(Client):
        async def send(self, message: Message) -> None:
            closed_when_sent.append(len(tape.closes))
            await super().send(message)

    call(traced(sending({**START, "trailers": True}, answer(b"x"), trailers), telemetry), client=Watching())
    assert closed_when_sent == [0, 0, 1]


def test_unknown_messages_pass_through(tape: MemoryTape, telemetry: Telemetry) -> None:
    debug = {"type": "http.response.debug", "info": {"template": object()}}
    client = call(traced(sending(debug, START, answer(b"x")), telemetry))
    assert client.sent[0] is debug
    assert tape.result["status"] == 200


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
def test_a_file_that_the_server_sends_itself_is_marked_as_not_recorded(
    tape: MemoryTape, telemetry: Telemetry, kind: str
) -> None:
    call(traced(sending(START, {"type": f"http.response.{kind}", "path": "/etc/hostname"}), telemetry))
    assert tape.captured[0].dropped == kind
    assert tape.result["ended"] is True


def test_a_mount_that_rewrites_the_scope_does_not_change_the_recorded_request(
    telemetry: Telemetry, tape: MemoryTape
) -> None:
    async def home(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    app = Starlette(routes=[Mount("/sub", routes=[Route("/home", home)])])
    client = call(traced(app, telemetry), http_scope("/sub/home"))
    assert client.sent[0]["status"] == 200
    assert (tape.request["path"], tape.request["root_path"]) == ("/sub/home", "")


def test_headers_are_those_that_arrived_even_if_the_app_changes_the_list(
    tape: MemoryTape, telemetry: Telemetry
) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        scope["headers"].clear()
        await hello(scope, receive, send)

    call(traced(app, telemetry), http_scope(headers=[(b"x-a", b"1"), (b"x-a", b"2")]))
    assert tape.request["headers"] == [[b"x-a", b"1"], [b"x-a", b"2"]]


def test_a_header_iterator_is_left_to_the_server(tape: MemoryTape) -> None:
    # contrib's middleware itself uses up an iterator, so this one goes through the ear alone.
    pairs = iter([(b"x-a", b"1")])
    response = heard.HeardResponse(0, 100)
    response.start({"type": "http.response.start", "status": 200, "headers": pairs})
    assert list(pairs) == [(b"x-a", b"1")]


def test_optional_keys_of_the_scope_may_be_missing(tape: MemoryTape, telemetry: Telemetry) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"version": "3.0"}}
    call(ear(hello), scope)
    assert tape.captured == []  # outside of a span
    with telemetry.provider.get_tracer("test").start_as_current_span("root"):
        call(ear(hello), scope)
    assert tape.request["raw_path"] is None
    assert tape.request["client"] is None


# ---- failures of the app ---------------------------------------------------------------------------------------------


def test_an_exception_is_the_same_object_with_one_frame_more(tape: MemoryTape, telemetry: Telemetry) -> None:
    error = KeyError("total")

    async def failing(scope: Message, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(KeyError) as plain:
        call(failing)
    without = [frame.name for frame in traceback.extract_tb(plain.value.__traceback__)]
    error.__traceback__ = None
    with pytest.raises(KeyError) as caught:
        call(ear(failing))
    assert caught.value is error
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["__call__", "failing"]
    assert len(without) + 1 == len(traceback.extract_tb(caught.value.__traceback__))
    assert (error.__context__, error.__cause__) == (None, None)


def test_an_exception_is_recorded_with_the_apps_own_innermost_frame(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def failing(scope: Message, receive: Any, send: Any) -> None:
        int("no number")

    with pytest.raises(ValueError, match="no number"):
        call(traced(failing, telemetry))
    exception = tape.result["exception"]
    assert isinstance(exception, dict)
    assert exception["type"] == "builtins.ValueError"
    assert exception["message"] == "invalid literal for int() with base 10: 'no number'"
    assert re.fullmatch(r"tests/drivers/asgi/test_tap.py:\d+ failing", exception["frame"])
    assert exception["cancelled"] is False
    assert "drivers/asgi/tap.py" not in exception["traceback"]
    assert exception["traceback"].startswith("Traceback (most recent call last):\n")
    assert tape.result["status"] is None


def test_the_recording_of_an_exception_does_not_keep_the_apps_variables_alive(
    tape: MemoryTape, telemetry: Telemetry
) -> None:
    class Big:
        pass

    alive: list[Any] = []

    async def failing(scope: Message, receive: Any, send: Any) -> None:
        big = Big()
        alive.append(weakref.ref(big))
        raise RuntimeError("with a local variable")

    try:
        call(traced(failing, telemetry))
    except RuntimeError:
        pass
    gc.collect()
    assert alive[0]() is None


def test_an_exception_after_the_response_makes_a_second_revision(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def failing(scope: Message, receive: Any, send: Any) -> None:
        await hello(scope, receive, send)
        raise RuntimeError("in the background")

    with pytest.raises(RuntimeError):
        call(traced(failing, telemetry))
    assert len(tape.closes) == 2
    assert tape.result["status"] == 200
    assert tape.result["exception"]["message"] == "in the background"


def test_a_request_is_closed_once_if_nothing_comes_after_the_response(tape: MemoryTape, telemetry: Telemetry) -> None:
    disconnect = {"type": "http.disconnect"}

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await hello(scope, receive, send)
        await receive()

    call(traced(app, telemetry), client=Client([chunk(b"x"), disconnect]))
    assert len(tape.closes) == 1
    assert tape.sizes == [1 + 5 + 2 * body.CHUNK_OVERHEAD]


def test_a_client_that_leaves_is_recorded(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send(answer(b"one", more=True))
        await receive()

    call(traced(app, telemetry), client=Client([chunk(b""), {"type": "http.disconnect"}]))
    result = tape.result
    assert result["ended"] is False
    assert int(result["disconnected_ns"]) > 0


def test_that_an_answer_ended_after_the_client_had_left_is_recorded(tape: MemoryTape, telemetry: Telemetry) -> None:
    """As Starlette's BaseHTTPMiddleware ends it, which closes what it hands on."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send(START)
        await send(answer(b"one", more=True))
        if scope["path"] == "/left":
            await receive()
        await send(answer(b""))
        if scope["path"] == "/stayed":
            await receive()

    for path in ("/left", "/stayed"):
        call(traced(app, telemetry), http_scope(path), client=Client([chunk(b""), {"type": "http.disconnect"}]))
    results = [exchange_of(each).result for each in tape.captured]
    assert [(each["ended"], each.get("left_before_end")) for each in results] == [(True, True), (True, None)]


def test_an_answer_to_a_client_that_has_left_already_is_recorded_as_that(
    tape: MemoryTape, telemetry: Telemetry
) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await hello(scope, receive, send)

    call(traced(app, telemetry), client=Client([{"type": "http.disconnect"}]))
    assert tape.result["status"] == 200
    assert tape.result["left_before_start"] is True


def test_a_send_that_the_server_refuses_is_recorded_and_reaches_the_app(tape: MemoryTape, telemetry: Telemetry) -> None:
    error = OSError("gone")

    class Gone(Client):
        async def send(self, message: Message) -> None:
            raise error

    with pytest.raises(OSError, match="gone") as caught:
        call(traced(hello, telemetry), client=Gone())
    assert caught.value is error
    assert tape.result["send_failed"] is True


def test_cancellation_is_recorded_as_such(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.ensure_future(traced(app, telemetry)(http_scope(), Client().receive, Client().send))
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert tape.result["exception"]["cancelled"] is True


def test_an_exception_whose_text_fails_is_still_recorded(
    tape: MemoryTape, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)

    class Nasty(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text for you")

    async def failing(scope: Message, receive: Any, send: Any) -> None:
        raise Nasty

    span = telemetry.provider.get_tracer("test").start_span("root")
    with pytest.raises(Nasty), trace.use_span(span, record_exception=False, set_status_on_exception=False):
        call(ear(failing))
    exception = tape.result["exception"]
    assert isinstance(exception, dict)
    assert exception["type"].endswith("Nasty")
    assert exception["message"] == ""


# ---- who is heard ----------------------------------------------------------------------------------------------------


def test_an_app_inside_a_heard_app_makes_no_second_entry(tape: MemoryTape, telemetry: Telemetry) -> None:
    inner = traced(hello, telemetry)
    call(traced(Starlette(routes=[Mount("/sub", app=inner)]), telemetry), http_scope("/sub/x"))
    assert len(tape.captured) == 1
    assert tape.entries == 2
    call(traced(hello, telemetry))
    assert len(tape.captured) == 2


def test_an_excluded_url_begins_an_entry_but_is_not_captured(tape: MemoryTape, telemetry: Telemetry) -> None:
    client = call(traced(hello, telemetry, excluded_urls="/health"), http_scope("/health"))
    assert client.body == b"hello"
    assert (tape.entries, tape.captured) == (1, [])


def test_an_unsampled_request_begins_an_entry_but_is_not_captured(tape: MemoryTape) -> None:
    app = OpenTelemetryMiddleware(hello, tracer_provider=TracerProvider(sampler=ALWAYS_OFF))
    assert call(app).body == b"hello"
    assert (tape.entries, tape.captured) == (1, [])


def test_nothing_is_wrapped_while_no_tape_is_active(tape: MemoryTape, telemetry: Telemetry) -> None:
    table.activate(None)
    seen: list[Any] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.extend([receive, send])
        await hello(scope, receive, send)

    client = Client()
    call(ear(app), client=client)
    assert seen == [client.receive, client.send]


def test_lifespan_passes_untouched(tape: MemoryTape, telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})

    call(traced(app, telemetry), {"type": "lifespan", "asgi": {"version": "3.0"}})
    assert (tape.entries, tape.captured) == (0, [])


def test_the_app_is_still_found_through_the_tracing_middleware(tape: MemoryTape, telemetry: Telemetry) -> None:
    app = Starlette()
    app.state.shop = "open"
    assert traced(app, telemetry).app.state.shop == "open"
    with pytest.raises(AttributeError):
        traced(app, telemetry).app.no_such_thing


# ---- work outliving the request --------------------------------------------------------------------------------------


class ListSink:
    def __init__(self) -> None:
        self.batches: list[Any] = []

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, batch: Any) -> None:
        self.batches.append(batch)

    def spill(self, captured: object, released: object) -> None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True


def recorder_on(telemetry: Telemetry) -> tuple[Recorder, ListSink]:
    sink = ListSink()
    recorder = Recorder(Settings(), sink)

    telemetry.provider.add_span_processor(SegmentProcessor(recorder))
    return recorder, sink


@pytest.mark.parametrize("fails", [False, True])
def test_timetracer_1_6_0_work_outliving_the_request_is_recorded_in_a_later_part(
    telemetry: Telemetry, fails: bool
) -> None:
    recorder, sink = recorder_on(telemetry)
    done: list[str] = []

    async def later() -> None:
        with telemetry.provider.get_tracer("app").start_as_current_span("later"):
            await asyncio.sleep(0.01)
        done.append("later")
        if fails:
            raise RuntimeError("in the background")

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("hello", background=BackgroundTask(later))

    with recording(recorder):
        app = traced(Starlette(routes=[Route("/", endpoint)]), telemetry)
        if fails:
            with pytest.raises(RuntimeError, match="in the background"):
                call(app)
        else:
            assert call(app).body == b"hello"
    batches = [batch for batch in sink.batches if isinstance(batch, SegmentBatch)]
    exchanges = [captured for batch in batches for captured in batch.exchanges]
    assert done == ["later"]
    assert {batch.trace_id for batch in batches} == {batches[0].trace_id}
    assert "later" in [span.name for batch in batches[1:] for span in batch.spans]
    assert len(exchanges) == (2 if fails else 1)
    assert len({id(captured) for captured in exchanges}) == 1


# ---- never hurts -----------------------------------------------------------------------------------------------------

HOOKS = ["received", "sent", "refused", "failed", "ended"]


def broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("our own fault")


def break_hook(monkeypatch: pytest.MonkeyPatch, hook: str, guarded: Callable[[Any], Any]) -> None:
    if hook == "begin":
        monkeypatch.setattr(tap, "_begin", guarded(broken))
    else:
        monkeypatch.setattr(tap.Hearing, hook, guarded(broken))


async def everything(scope: Message, receive: Any, send: Any) -> None:
    """Uses every hook: reads, answers, is refused once, fails."""
    await receive()
    await send(START)
    try:
        await send(answer(b"hello"))
    except OSError:
        raise LookupError("the app's own") from None


class Refusing(Client):
    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] == "http.response.body":
            raise OSError("gone")


def run_everything(telemetry: Telemetry) -> tuple[list[str], list[Message], str]:
    client = Refusing([chunk(b"x")])
    with pytest.raises(LookupError) as caught:
        call(traced(everything, telemetry), client=client)
    return client.events, client.sent, repr(caught.value)


@pytest.mark.parametrize("hook", ["begin", *HOOKS])
def test_a_hook_that_fails_is_counted_and_the_app_notices_nothing(
    hook: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without, plain_spans = run_everything(telemetry), telemetry.spans
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(guard, "failures", type(guard.failures)())
    other = Telemetry()
    with recording(MemoryTape()), caplog.at_level(logging.WARNING, "timetracer_otel"):
        break_hook(monkeypatch, hook, guard.guarded(lending.TAP))
        assert run_everything(other) == without
    assert guard.failures[lending.TAP] >= 1
    assert other.spans == plain_spans
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", ["begin", *HOOKS])
def test_the_guard_is_what_holds_a_failing_hook(
    hook: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recording(MemoryTape()):
        break_hook(monkeypatch, hook, lambda function: function)
        with pytest.raises(RuntimeError, match="our own fault"):
            call(traced(everything, telemetry), client=Refusing([chunk(b"x")]))


@pytest.mark.parametrize("hook", ["begin", *HOOKS])
def test_every_hook_is_guarded(hook: str) -> None:
    function: Any = tap._begin if hook == "begin" else getattr(tap.Hearing, hook)
    assert function.__wrapped__ is not None


def test_a_server_that_starts_prepares_for_its_first_request(telemetry: Telemetry) -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        await send({"type": "lifespan.startup.complete"})

    async def main(tape: MemoryTape) -> None:
        client = Client([{"type": "lifespan.startup"}])
        with recording(tape):
            await traced(app, telemetry)({"type": "lifespan"}, client.receive, client.send)

    tape = MemoryTape()
    asyncio.run(main(tape))
    assert tape.is_prepared
    assert tape.captured == []


@pytest.mark.parametrize("method", ["open", "close", "entry_began"])
def test_a_tape_that_fails_does_not_reach_the_app(
    method: str, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(MemoryTape, method, broken)
    with recording(MemoryTape()):
        assert call(traced(hello, telemetry)).body == b"hello"
        assert around.current() is None


def test_a_task_that_outlives_its_request_does_not_keep_its_bodies(tape: MemoryTape, telemetry: Telemetry) -> None:
    """R26: its context is a copy of the request's, and lives as long as the task; a late message is passed on."""
    held: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        async def outliving() -> None:
            await asyncio.sleep(0.05)
            hearing = around.current()
            held.extend(name for name in ("_request", "_response", "_captured") if hasattr(hearing, name))
            await send(answer(b"late"))

        tasks.append(asyncio.create_task(outliving()))
        await send(START)
        await send(answer(b"hello"))

    async def main() -> None:
        await ear(app)(http_scope(), client.receive, client.send)
        assert len(tape.captured) == 1
        await tasks[0]

    client, failures = Client([]), guard.counts()
    with telemetry.provider.get_tracer("tests").start_as_current_span("GET"):
        asyncio.run(main())
    assert held == []
    assert client.sent[-1] == answer(b"late")
    assert guard.counts() == failures
