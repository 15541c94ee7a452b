"""How late an event loop is: uvicorn with answers of 50 KiB at a steady rate, recorded by the writer in the background.

A task in the loop sleeps for a millisecond again and again, and notes by how much it was woken too late.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench_starlette import connect, free_port
from harness import options
from providers import provider
from results import Figure, quartiles, tell
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

ROWS = ("event loop, p99 of its lag",)
NAMES = ("otel", "recorded")
SECONDS = 1.5
GOAL_MS = 2.0
CLIENTS = 4
PAUSE_S = 0.04
"""Of each client between two requests: the processor is to have time left, or the load itself is what makes it late."""
PAYLOAD = [{"id": number, "name": f"item {number}", "note": f"{number} note " * 6} for number in range(500)]

lags: list[float] = []


async def watch() -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(time.perf_counter() - began - 0.001)


async def items(request: Request) -> JSONResponse:
    return JSONResponse(PAYLOAD)


async def report(request: Request) -> JSONResponse:
    """What was noted since the last report."""
    noted = lags.copy()
    lags.clear()
    return JSONResponse(noted)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(watch())
    yield
    task.cancel()


def serve(name: str, port: int) -> None:
    import uvicorn

    provider(name)
    os.environ["OTEL_PYTHON_STARLETTE_EXCLUDED_URLS"] = "report"
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor

    StarletteInstrumentor().instrument()
    from starlette import applications

    app = applications.Starlette(routes=[Route("/items", items), Route("/report", report)], lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, loop="asyncio", http="h11")


class Server:
    def __init__(self, name: str) -> None:
        self._port = free_port()
        command = [sys.executable, os.path.abspath(__file__), "--serve", name, str(self._port)]
        self._process = subprocess.Popen(command)
        self._control = connect(self._port)

    def loaded(self, seconds: float) -> list[float]:
        """Lags in milliseconds under load."""
        get(self._control, "/report")
        clients = [threading.Thread(target=self._client, args=(time.monotonic() + seconds,)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return [lag * 1e3 for lag in json.loads(get(self._control, "/report"))]

    def _client(self, end: float) -> None:
        with connect(self._port) as connection:
            while time.monotonic() < end:
                get(connection, "/items")
                time.sleep(PAUSE_S)

    def stop(self) -> None:
        self._control.close()
        self._process.terminate()
        self._process.wait(20)


def get(connection: socket.socket, path: str) -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\nhost: shop\r\n\r\n".encode())
    head, _, body = receive(connection, b"", 0).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return receive(connection, body, length)


def receive(connection: socket.socket, data: bytes, length: int) -> bytes:
    """`data` and what follows, up to so many bytes; for 0 up to the end of the headers."""
    while len(data) < length or (not length and b"\r\n\r\n" not in data):
        data += connection.recv(1 << 20)
    return data


def main() -> None:
    asked = options(__doc__, 9)
    servers = {name: Server(name) for name in NAMES}
    rounds: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for number in range(asked.rounds + 1):
        for name in NAMES if number % 2 else reversed(NAMES):
            lags = servers[name].loaded(SECONDS)
            if number:  # the first round loads what is imported late
                rounds[name].append(lags)
    for name, found in rounds.items():
        servers[name].stop()
        show(name, found, rounds["otel"])


def show(name: str, rounds: list[list[float]], base: list[list[float]]) -> None:
    """What the 99th percentile is above the base's of the same round."""
    middle, high, worst = (
        statistics.median(figure(lags) for lags in rounds) for figure in (statistics.median, p99, max)
    )
    added = [p99(mine) - p99(its) for mine, its in zip(rounds, base, strict=True)]
    print(f"loop lag {name:10s} p50 {middle:.2f} ms, p99 {high:.2f} ms, most {worst:.2f} ms")
    goal = GOAL_MS if name == "recorded" else None
    tell(Figure(ROWS[0], name, f"{high:.2f} ms", *quartiles(added), goal=goal, unit="ms more: "))


def p99(lags: list[float]) -> float:
    return statistics.quantiles(lags, n=100)[98]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main()
