"""The recorded request, sent to the app again as ASGI messages: same scope, same chunks, gone when the client had gone.

Not an HTTP client's ASGI transport: those buffer, rewrite headers and cannot go away in mid-stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Literal, cast

from timetracer_otel.capture.frames import is_app
from timetracer_otel.cassette.model import Exchange, Payload
from timetracer_otel.drivers.asgi.content import header
from timetracer_otel.drivers.asgi.heard import Message
from timetracer_otel.drivers.asgi.tap import App
from timetracer_otel.drivers.asgi.websocket import client as websocket
from timetracer_otel.drivers.asgi.websocket.codec import is_conversation

SCOPE_KEYS: Final = ("http_version", "scheme", "path", "root_path", "query_string")
PROPAGATION: Final = frozenset({b"traceparent", b"tracestate", b"baggage"})
"""Of the recorded trace; the replayed one brings its own."""
UNREAD_MAX_S: Final = 10.0
"""After which a client that never sent the rest of its body is taken for gone."""
PATIENCE_S: Final = 10.0
"""How much longer than it had ever waited a client that left waits for the next piece of what it had heard by then:
what came from another request never comes. Less than libraries take between two signs of life. Seconds are counted in
which the loop ran, since it may be busy."""
EXTENSIONS: Final = ("http.response.trailers", "websocket.http.response")
"""Of ASGI: those by which an app sends what is recorded."""
REFUSING: Final = (2, 4)
"""The ASGI version since which a send after the client has gone raises OSError."""

Headers = Sequence[tuple[bytes, bytes]]


def scope_of(request: Payload, headers: Headers, state: Mapping[str, Any]) -> Message:
    """The recorded scope; `headers` replace recorded ones of the same name."""
    scope: Message = {
        **(websocket.scope_of(request) if is_conversation(request) else {"type": "http", "method": request["method"]}),
        "asgi": {"version": "3.0", "spec_version": request.get("spec_version", "2.3")},
        "state": dict(state),
        "headers": [*_kept(request, headers), *headers],
        "client": _address(request.get("client")),
        "server": _address(request.get("server")),
    }
    scope.update((key, request[key]) for key in SCOPE_KEYS)
    if extensions := [name for name in EXTENSIONS if name in cast("Sequence[str]", request.get("extensions", ()))]:
        scope["extensions"] = {name: {} for name in extensions}
    if request.get("raw_path") is not None:  # optional in ASGI
        scope["raw_path"] = request["raw_path"]
    return scope


def _kept(request: Payload, headers: Headers) -> list[tuple[bytes, bytes]]:
    replaced = PROPAGATION | {name.lower() for name, _ in headers}
    recorded = cast("Sequence[Sequence[bytes]]", request["headers"])
    return [(name, value) for name, value in recorded if name.lower() not in replaced]


def _address(address: Any) -> tuple[Any, ...] | None:
    return None if address is None else tuple(address)


def messages_of(request: Payload) -> tuple[list[Message], bool]:
    """The body as it was received, chunk by chunk; and whether some of it was never read, hence never recorded."""
    chunks = [chunk for _, chunk in cast("Sequence[Sequence[Any]]", request["body"])]
    is_unread = not request["ended"] and _has_rest(request)
    if not chunks and not is_unread:
        chunks = [b""]
    last = len(chunks) - 1
    return [
        {"type": "http.request", "body": chunk, "more_body": is_unread or index < last}
        for index, chunk in enumerate(chunks)
    ], is_unread


def _has_rest(request: Payload) -> bool:
    headers = cast("Sequence[Sequence[bytes]]", request["headers"])
    length = header(headers, "content-length")
    if length.isdigit():  # mended where secrets were masked, as the chunks were
        return int(length) > sum(len(chunk) for _, chunk in cast("Sequence[Sequence[Any]]", request["body"]))
    return bool(header(headers, "transfer-encoding"))


class Departure:
    """When the recorded client went away: after so many bytes of the answer, and then so much later."""

    def __init__(self, result: Payload, asked_ns: Iterable[int] = ()) -> None:
        """`asked_ns`: when the app asked servers for something, by the clock of the result."""
        left_ns = cast("int | None", result.get("disconnected_ns"))
        chunks = cast("Sequence[Sequence[Any]]", result.get("body", ()))
        before = [(at, chunk) for at, chunk in chunks if left_ns is not None and at <= left_ns]
        self.is_recorded = left_ns is not None
        self.is_refusal = bool(result.get("send_failed"))
        """The app learnt it from a send that failed."""
        self.after_bytes = sum(len(chunk) for _, chunk in before)
        self.after_start = result.get("status") is not None and not result.get("left_before_start")
        times = [0, *(at for at, _ in before), left_ns or 0]
        self.patience_s = max(0, *(after - earlier for earlier, after in pairwise(times))) / 1e9 + PATIENCE_S
        last_ns = before[-1][0] if before else 0
        self.pause_s = max(0, (left_ns or 0) - last_ns) / 1e9
        self.is_idle = not any(last_ns <= at <= (left_ns or 0) for at in asked_ns)
        """The app did no more in that pause than to send, or to wait for what it was to send next."""


class Client:
    """The client's side of one request: gives the chunks, counts the answer's bytes, leaves at the recorded point."""

    def __init__(self, request: Payload, departure: Departure) -> None:
        self._messages, self._is_unread = messages_of(request)
        self._departure = departure
        self._refuses = self._departure.is_refusal or _version(request) >= REFUSING
        self._sent = 0
        self._is_started = self._has_left = self._has_trailers = False
        self._answered, self._reached, self._progress = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._listeners, self._heard_out = 0, asyncio.Event()
        """Who waits for the client to leave, and that nobody does any more."""
        self._check()

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await self._end()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        is_beyond = self._reached.is_set() or self._departure.is_idle
        if message["type"] == "http.response.start":
            self._is_started, self._has_trailers = True, bool(message.get("trailers", False))
        elif message["type"] == "http.response.body":
            self._sent += len(message.get("body", b""))
            if not message.get("more_body", False) and not self._has_trailers:
                self._answered.set()
        elif message["type"] == "http.response.trailers" and not message.get("more_trailers", False):
            self._answered.set()
        self._progress.set()
        self._check()
        if self._departure.is_refusal and self._reached.is_set():
            self._has_left = True
        if self._has_left and self._refuses:
            raise OSError("the client has gone, as it had when this was recorded")
        # A server's send lets others run: whoever waits for the client to leave must get his turn.
        await asyncio.sleep(0)
        if is_beyond and self._reached.is_set() and self._listeners and message.get("body"):
            # The recorded app came no further before it heard that the client had left. What it reads is there at once
            # now: it, or a middleware that is a piece behind, would go on to read what was never recorded.
            await self._heard_out.wait()

    def _check(self) -> None:
        departure = self._departure
        if departure.is_recorded and self._sent >= departure.after_bytes and self._is_started >= departure.after_start:
            self._reached.set()

    async def _end(self) -> None:
        """Until the answer is complete, or the client has gone."""
        ways = [asyncio.ensure_future(self._answered.wait())]
        if self._departure.is_recorded:
            ways.append(asyncio.ensure_future(self._leave()))
        elif self._is_unread:
            ways.append(asyncio.ensure_future(asyncio.sleep(UNREAD_MAX_S, True)))
        self._listeners += 1
        self._heard_out.clear()
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._listeners -= 1
            if not self._listeners:
                self._heard_out.set()

    async def _leave(self) -> Literal[True]:
        if await self._has_heard():
            await asyncio.sleep(self._departure.pause_s)
        self._has_left = True
        return True

    async def _has_heard(self) -> bool:
        """Whether as much came as had come when it left; not so if nothing comes any more."""
        waited_s = 0
        while not self._reached.is_set() and waited_s < self._departure.patience_s:
            self._progress.clear()
            try:
                await asyncio.wait_for(self._progress.wait(), 1)
                waited_s = 0
            except asyncio.TimeoutError:
                waited_s += 1
        return self._reached.is_set()


def _version(request: Payload) -> tuple[int, ...]:
    return tuple(int(part) for part in str(request.get("spec_version", "2.3")).split(".") if part.isdigit())


async def deliver(
    app: App, recorded: Exchange, headers: Headers, state: Mapping[str, Any], asked_ns: Sequence[int] = ()
) -> BaseException | None:
    """What the app raised, which the tap has heard as well; returns when it is done with the request.

    `asked_ns`: when, from the start of the request on, it asked servers for something.
    """
    request = recorded.request
    client: Client | websocket.Client
    if is_conversation(request):
        client = websocket.Client(recorded)
    else:
        client = Client(request, Departure(recorded.result, asked_ns))
    task = asyncio.ensure_future(app(scope_of(request, headers, state), client.receive, client.send))
    await asyncio.wait([task])
    return None if task.cancelled() else task.exception()


async def rest(before: set[asyncio.Task[Any]], most_s: float) -> None:
    """Waits for the app's own tasks that began since `before`, and for those that they begin.

    A library's tasks (a pool's scheduler, a client's reader) run for as long as the process does.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + most_s
    while left := [task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if _is_apps(task)]:
        if loop.time() >= deadline:
            return
        await asyncio.wait(left, timeout=deadline - loop.time())


def _is_apps(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is None or is_app(code.co_filename)
