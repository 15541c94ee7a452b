from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.drivers.asgi.parts import Message
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.asgi import delivery
from timetracer_otel.drivers.asgi.delivery import deliver, messages_of, rest, scope_of


def request(*chunks: bytes, headers: Any = (), **fields: Any) -> dict[str, Any]:
    return {
        "type": "http", "method": "POST", "scheme": "https", "http_version": "1.1", "spec_version": "2.3",
        "path": "/a b", "raw_path": b"/a%20b", "query_string": b"x=1", "root_path": "/root", "headers": list(headers),
        "client": ["10.0.0.1", 5], "server": ["/run/app.sock", None], "body": [[0, chunk] for chunk in chunks],
        "body_size": sum(map(len, chunks)), "ended": True, "app": None, **fields,
    }  # fmt: skip


def result(*chunks: tuple[int, bytes], **fields: Any) -> dict[str, Any]:
    return {
        "status": 200,
        "headers": [],
        "body": [list(chunk) for chunk in chunks],
        "body_size": 0,
        "ended": True,
        **fields,
    }


def run(
    app: Any, asked: dict[str, Any], answered: dict[str, Any] | None = None, asked_ns: tuple[int, ...] = ()
) -> None:
    recorded = Exchange("p-1", "http.server", Signature("asgi", "POST", "/a b"), asked, answered or result())
    raised = asyncio.run(asyncio.wait_for(deliver(app, recorded, (), {}, asked_ns), 60))
    if raised is not None:
        raise raised


def bodies(asked: dict[str, Any]) -> list[tuple[bytes, bool]]:
    return [(message["body"], message["more_body"]) for message in messages_of(asked)[0]]


# ---- scope -----------------------------------------------------------------------------------------------------------


def test_the_scope_is_the_recorded_one() -> None:
    scope = scope_of(request(headers=[[b"host", b"shop"]]), (), {"pool": 1})
    assert scope == {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "scheme": "https", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"x=1", "root_path": "/root",
        "headers": [(b"host", b"shop")], "client": ("10.0.0.1", 5), "server": ("/run/app.sock", None),
        "state": {"pool": 1},
    }  # fmt: skip


def test_optional_keys_stay_absent() -> None:
    scope = scope_of(request(raw_path=None, client=None, server=None), (), {})
    assert "raw_path" not in scope
    assert (scope["client"], scope["server"]) == (None, None)


def test_the_recorded_propagation_data_is_left_out_and_new_headers_replace_old_ones() -> None:
    recorded = [[b"Traceparent", b"old"], [b"tracestate", b"old"], [b"baggage", b"old"], [b"X-Id", b"1"], [b"a", b"2"]]
    scope = scope_of(request(headers=recorded), [(b"x-id", b"9"), (b"baggage", b"timetracer.replay=1")], {})
    assert scope["headers"] == [(b"a", b"2"), (b"x-id", b"9"), (b"baggage", b"timetracer.replay=1")]


def test_each_request_has_a_state_of_its_own() -> None:
    state: dict[str, Any] = {}
    scope_of(request(), (), state)["state"]["added"] = True
    assert state == {}


# ---- the request's body ----------------------------------------------------------------------------------------------


def test_chunks_come_as_they_came() -> None:
    assert bodies(request(b"a", b"b")) == [(b"a", True), (b"b", False)]
    assert bodies(request()) == [(b"", False)]


def test_a_body_that_was_not_read_though_it_was_whole_can_be_read_now() -> None:
    assert bodies(request(ended=False)) == [(b"", False)]
    assert bodies(request(ended=False, headers=[[b"content-length", b"0"]])) == [(b"", False)]


def test_a_body_that_was_read_in_part_is_known_to_go_on() -> None:
    assert messages_of(request(b"a", ended=False, headers=[[b"Content-Length", b"9"]])) == (
        [{"type": "http.request", "body": b"a", "more_body": True}],
        True,
    )
    assert messages_of(request(ended=False, headers=[[b"transfer-encoding", b"chunked"]])) == ([], True)


def test_an_app_that_now_reads_what_was_never_recorded_meets_a_client_that_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "UNREAD_MAX_S", 0.01)
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append((await receive())["type"])

    run(app, request(ended=False, headers=[[b"content-length", b"9"]]))
    assert seen == ["http.disconnect"]


# ---- the client's end ------------------------------------------------------------------------------------------------


async def start(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def piece(body: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def test_the_client_is_gone_once_the_answer_is_complete() -> None:
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        seen.append((await receive())["type"])
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await start(send)
        await send(piece(b"all", more=False))
        seen.append((await waiting)["type"])

    run(app, request())
    assert seen == ["http.request", "http.disconnect"]


def test_the_client_leaves_after_the_bytes_and_the_pause_that_were_recorded() -> None:
    times: list[float] = []
    left: list[float] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await start(send)
        leaving = asyncio.ensure_future(receive())
        leaving.add_done_callback(lambda _: left.append(time.monotonic()))
        while not leaving.done():
            times.append(time.monotonic())
            await send(piece(b"tick"))
            await asyncio.sleep(0.01)

    recorded = result((10, b"tick"), (20, b"tick"), ended=False, disconnected_ns=20 + 50_000_000)
    run(app, request(), recorded)
    assert 0.04 < left[0] - times[1] < 30
    assert len(times) == 2


def test_a_client_that_waits_in_vain_for_what_it_had_heard_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another request had said to this stream comes no more."""
    monkeypatch.setattr(delivery, "PATIENCE_S", 0.5)
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await start(send)
        await send(piece(b"tick"))
        seen.append((await receive())["type"])

    run(app, request(), result((10, b"tick"), (20, b"tock"), ended=False, disconnected_ns=30))
    assert seen == ["http.disconnect"]


def test_a_client_that_left_before_the_answer_began_leaves_before_it_again() -> None:
    """The app waits for it, and answers it nevertheless."""
    seen: list[str] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        while not seen or seen[-1] == "http.request":
            seen.append((await receive())["type"])
        await start(send)
        await send(piece(b"", more=False))

    recorded = result(disconnected_ns=20_000_000, left_before_start=True)
    run(app, request(), recorded)
    assert seen == ["http.request", "http.disconnect"]


def test_before_asgi_2_4_a_send_to_a_client_that_left_does_nothing_and_after_it_fails() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await start(send)
        await send(piece(b"tick"))
        assert (await receive())["type"] == "http.disconnect"
        try:
            await send(piece(b"tock"))
        except OSError:
            seen.append("refused")

    recorded = result((10, b"tick"), ended=False, disconnected_ns=11)
    seen: list[str] = []
    run(app, request(), recorded)
    assert seen == []
    run(app, request(spec_version="2.4"), recorded)
    assert seen == ["refused"]


def test_a_send_that_was_refused_is_refused_again() -> None:
    seen: list[bytes] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await start(send)
        for body in (b"one", b"two", b"three"):
            seen.append(body)
            await send(piece(body))

    recorded = result((10, b"one"), (20, b"two"), ended=False, disconnected_ns=25, send_failed=True)
    with pytest.raises(OSError, match="the client has gone"):
        run(app, request(spec_version="2.4"), recorded)
    assert seen == [b"one", b"two"]


def test_a_stream_without_a_pause_lets_the_client_leave() -> None:
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await start(send)
        leaving = asyncio.ensure_future(receive())
        while not leaving.done():
            await send(piece(b"x"))

    run(app, request(), result((10, b"x"), ended=False, disconnected_ns=11))


def test_an_app_that_listens_comes_no_further_than_it_had_come_when_the_client_left() -> None:
    """As a stream does that is read in a thread: what it reads is there at once, and it would read what nobody did.
    One that asked a server for something in the meantime does so again, and waits with what it sends next."""
    read: list[int] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await start(send)
        leaving = asyncio.ensure_future(receive())
        while not leaving.done():
            read.append(len(read))
            await send(piece(b"x"))

    answered = result((10, b"x"), (20, b"x"), ended=False, disconnected_ns=20_000_000)
    for asked_ns, most in (((), 2), ((15, 20_000_001), 2), ((10, 20), 3), ((19_000_000,), 3)):
        read.clear()
        run(app, request(), answered, asked_ns)
        assert len(read) == most


# ---- tasks that are left ---------------------------------------------------------------------------------------------


def test_tasks_that_the_request_left_behind_are_waited_for_and_so_are_theirs() -> None:
    done: list[str] = []

    async def outer() -> None:
        await asyncio.sleep(0.01)
        tasks.append(asyncio.ensure_future(inner()))
        done.append("outer")

    async def inner() -> None:
        await asyncio.sleep(0.01)
        done.append("inner")

    tasks: list[Any] = []

    async def main() -> None:
        poller = asyncio.ensure_future(asyncio.sleep(60))
        before = asyncio.all_tasks()
        tasks.append(asyncio.ensure_future(outer()))
        await rest(before, 5)
        assert not poller.done()
        poller.cancel()

    asyncio.run(main())
    assert done == ["outer", "inner"]


def test_a_task_that_never_ends_is_waited_for_only_so_long() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        task = asyncio.ensure_future(asyncio.sleep(60))
        await rest(before, 0.02)
        task.cancel()

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5


def test_a_body_whose_secrets_were_masked_is_whole_by_the_length_that_was_mended() -> None:
    """Twenty bytes were received, and all of them; the marker is longer than the secret was."""
    asked = request(b"x" * 26, headers=[[b"content-length", b"26"]], ended=False, body_size=20)
    assert bodies(asked) == [(b"x" * 26, False)]
