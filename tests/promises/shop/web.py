"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor

from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import work

tracer = trace.get_tracer("shop")

LINES = json.dumps([{"number": number, "text": f"ordered on day {number}"} for number in range(20_000)])


async def order(request: Request) -> JSONResponse:
    time.sleep(0.01)  # it holds the loop, so that the other workers get their share of the requests
    return JSONResponse({"id": request.path_params["id"], "process": os.getpid()})


async def statement(request: Request) -> Response:
    """A megabyte, which takes the writer longer than the server."""
    return Response(
        f'{{"id": {request.path_params["id"]}, "process": {os.getpid()}, "lines": {LINES}}}',
        media_type="application/json",
    )


async def fork_on_the_loop(request: Request) -> JSONResponse:
    child = _fork()
    await asyncio.to_thread(_wait, child)
    return JSONResponse({"id": request.path_params["id"], "process": os.getpid()})


def fork_in_a_thread(request: Request) -> JSONResponse:
    _wait(_fork())
    return JSONResponse({"id": request.path_params["id"], "process": os.getpid()})


def _fork() -> int:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # a child that hangs is killed
        with tracer.start_as_current_span("in the child"):
            pass
        os._exit(0)
    return child


def _wait(child: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"the child ended with {code}"


async def prices(request: Request) -> JSONResponse:
    """From a pool of processes that is made in the request."""
    loop, number = asyncio.get_running_loop(), request.path_params["id"]
    with ProcessPoolExecutor(1, multiprocessing.get_context(request.path_params["method"])) as pool:
        await loop.run_in_executor(pool, work.price, number)
    return JSONResponse({"id": number, "process": os.getpid()})


app = Starlette(
    routes=[
        Route("/orders/{id:int}", order),
        Route("/statements/{id:int}", statement),
        Route("/forks-on-the-loop/{id:int}", fork_on_the_loop),
        Route("/forks-in-a-thread/{id:int}", fork_in_a_thread),
        Route("/prices-{method}/{id:int}", prices),
    ]
)
