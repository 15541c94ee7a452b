"""Starlette through uvicorn: an event stream, an upload and a download of 200 MB, recorded over plain OpenTelemetry."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Final

from bench_starlette import connect, free_port
from harness import Case, Run, Setup, main, nothing
from providers import plain, provider
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

EVENTS: Final = 1000
CHUNK: Final = bytes(range(256)) * 256
CHUNKS: Final = 200 * 10**6 // len(CHUNK)
BODY_BYTES: Final = CHUNKS * len(CHUNK)
LIMIT_S: Final = 60
END: Final = b"0\r\n\r\n"
"""The last chunk of a chunked body."""


async def events(request: Request) -> StreamingResponse:
    async def some() -> AsyncIterator[str]:
        for number in range(EVENTS):
            yield f'data: {{"number": {number}, "note": "{"x" * 60}"}}\n\n'

    return StreamingResponse(some(), media_type="text/event-stream")


async def upload(request: Request) -> PlainTextResponse:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
    return PlainTextResponse(f"{size} bytes{END.decode()}")


async def download(request: Request) -> StreamingResponse:
    async def some() -> AsyncIterator[bytes]:
        for _ in range(CHUNKS):
            yield CHUNK

    return StreamingResponse(some())


ROUTES: Final = [Route("/events", events), Route("/upload", upload, methods=["POST"]), Route("/download", download)]


def request_of(path: str) -> Iterator[bytes]:
    if path != "/upload":
        yield f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode()
        return
    yield b"POST /upload HTTP/1.1\r\nhost: shop\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES
    for _ in range(CHUNKS):
        yield CHUNK


def through_uvicorn(name: str, path: str) -> Setup:
    def setup() -> tuple[Run, object]:
        port = free_port()
        server = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--serve", name, str(port)])
        atexit.register(server.terminate)
        connect(port).close()

        def one() -> None:
            with connect(port) as client:  # anew: between its turns a contestant waits longer than the server does
                client.settimeout(LIMIT_S)
                for piece in request_of(path):
                    client.sendall(piece)
                await_end(client)

        return plain(one), nothing

    return setup


def await_end(client: socket.socket) -> None:
    """Reads the answer; only its end is looked at."""
    tail = b""
    while not tail.endswith(END):
        data = client.recv(1 << 20)
        if not data:
            raise SystemExit("the server closed the connection in the middle of an answer")
        tail = (tail + data)[-len(END) :]


def serve(name: str, port: int) -> None:
    import uvicorn

    provider(name)
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor

    StarletteInstrumentor().instrument()
    from starlette import applications

    app = applications.Starlette(routes=ROUTES)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, loop="asyncio", http="h11")


def case(path: str) -> Case:
    contestants = {name: through_uvicorn(name, path) for name in ("otel", "recorded")}
    return Case("otel", contestants, {"recorded": 1.05}, step=1)


CASES = {
    "starlette uvicorn, 1000 events": case("/events"),
    "starlette uvicorn, upload of 200 MB": case("/upload"),
    "starlette uvicorn, download of 200 MB": case("/download"),
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main(CASES, __file__)
