"""Starlette, GET of 1 KiB of JSON: recorded over plain OpenTelemetry, in process and through uvicorn. The peer is
timetracer.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import socket
import subprocess
import sys
import time
from typing import Any

import peers
from harness import Case, Flush, Run, Setup, main, nothing
from providers import CONTESTANTS, plain, provider
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PAYLOAD = [{"id": number, "name": f"item {number}", "note": "x" * 60} for number in range(10)]
END = JSONResponse(PAYLOAD).body[-8:]
SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "path": "/items",
    "raw_path": b"/items",
    "root_path": "",
    "scheme": "http",
    "query_string": b"",
    "headers": [(b"host", b"shop"), (b"accept", b"*/*")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
}


async def items(request: Request) -> JSONResponse:
    return JSONResponse(PAYLOAD)


def make_app(name: str) -> tuple[Starlette, Flush]:
    if name == "timetracer":
        from timetracer.integrations.starlette import TimeTracerMiddleware

        app = Starlette(routes=[Route("/items", items)])
        app.add_middleware(TimeTracerMiddleware, config=peers.timetracer_config())
        peers.silence()
        return app, nothing
    if name != "plain":
        flush: Flush = provider(name).force_flush
        from opentelemetry.instrumentation.starlette import StarletteInstrumentor

        StarletteInstrumentor().instrument()
        from starlette import applications

        return applications.Starlette(routes=[Route("/items", items)]), flush
    return Starlette(routes=[Route("/items", items)]), nothing


def in_process(name: str) -> Setup:
    def setup() -> tuple[Run, Flush]:
        app, flush = make_app(name)
        loop = asyncio.new_event_loop()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            assert message.get("status", 200) == 200

        async def many(count: int) -> None:
            for _ in range(count):
                await app(dict(SCOPE), receive, send)

        return (lambda count: loop.run_until_complete(many(count))), flush

    return setup


def through_uvicorn(name: str) -> Setup:
    def setup() -> tuple[Run, Flush]:
        port = free_port()
        server = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve", name, str(port)])
        atexit.register(server.terminate)
        client = connect(port)
        request = b"GET /items HTTP/1.1\r\nhost: shop\r\naccept: */*\r\n\r\n"

        def one() -> None:
            client.sendall(request)
            answer = b""
            while not answer.endswith(END):
                answer += client.recv(65536)

        return plain(one), nothing

    return setup


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connect(port: int) -> socket.socket:
    for _ in range(100):
        try:
            client = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return client
    raise SystemExit("uvicorn did not start")


def serve(name: str, port: int) -> None:
    import uvicorn

    app, _ = make_app(name)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, loop="asyncio", http="h11")


NAMES = (*CONTESTANTS, *peers.available("timetracer"))
CASES = {
    "starlette in process": Case("otel", {name: in_process(name) for name in NAMES}, {"recorded": 1.25}),
    "starlette uvicorn": Case("otel", {name: through_uvicorn(name) for name in NAMES}, {"recorded": 1.10}),
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main(CASES, __file__)
