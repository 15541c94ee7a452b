"""The service: `uvicorn tests.soak.service:app`, with `DSN` of a PostgreSQL and `PARTNER`, the URL of another service.

Its event loop notes how late it is woken. What the harness asks of it (`/control`) is not traced.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from typing import Any, Final, NoReturn

import asyncpg
import httpx
from opentelemetry import trace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DOCUMENTS: Final = 8
POLL_S: Final = 0.05
WATCH_S: Final = 0.001
TIMEOUT_S: Final = 120.0
TABLE: Final = f"""
    CREATE TABLE documents AS
        SELECT i AS id, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 164000) j) AS body
        FROM generate_series(0, {DOCUMENTS - 1}) i
"""
"""Bodies of 5 MiB. Whoever asks puts something before them, so that no two answers are the same."""


class Service:
    def __init__(self) -> None:
        self._pool: Any  # asyncpg has no types
        self._partner: httpx.AsyncClient
        self._lags: list[float] = []

    @contextlib.asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        async with (
            asyncpg.create_pool(os.environ["DSN"], min_size=1, max_size=4) as self._pool,
            httpx.AsyncClient(timeout=TIMEOUT_S) as self._partner,
        ):
            tasks = [asyncio.create_task(each) for each in (self._watch(), self._poll())]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _watch(self) -> None:
        while True:
            began_s = time.perf_counter()
            await asyncio.sleep(WATCH_S)
            self._lags.append(time.perf_counter() - began_s - WATCH_S)

    async def _poll(self) -> None:
        """Without a context: there is no span around it."""
        while True:
            await self._pool.fetchval("SELECT 'poll'")
            await asyncio.sleep(POLL_S)

    # ---- what is traced ----------------------------------------------------------------------------------------------

    async def order(self, request: Request) -> Response:
        number = request.path_params["number"]
        return JSONResponse({"said": await self._pool.fetchval("SELECT $1 || ' is paid'", f"order {number}")})

    async def document(self, request: Request) -> Response:
        number = request.path_params["number"]
        body = await self._pool.fetchval(
            "SELECT $1 || body FROM documents WHERE id = $2", f"{number} ", number % DOCUMENTS
        )
        return JSONResponse({"size": len(body)})

    async def upload(self, request: Request) -> Response:
        """Its body is not read."""
        return Response(status_code=202)

    async def partner(self, request: Request) -> Response:
        """The body of the answer is not read."""
        async with self._partner.stream("GET", os.environ["PARTNER"]) as answer:
            return JSONResponse({"status": answer.status_code})

    async def fork(self, request: Request) -> Response:
        child = os.fork()
        if child == 0:
            _end_of_child()
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        return JSONResponse({"exit": os.waitstatus_to_exitcode(status)})

    # ---- by which the harness asks -----------------------------------------------------------------------------------

    async def lags(self, request: Request) -> Response:
        """In seconds, since they were asked for the last time."""
        noted, self._lags = self._lags, []
        return JSONResponse(noted)

    async def flush(self, request: Request) -> Response:
        provider: Any = trace.get_tracer_provider()  # it is the SDK's
        await asyncio.to_thread(provider.force_flush)
        return Response()


def _end_of_child() -> NoReturn:
    """It makes a span, which is recorded, and ends without exit handlers: sockets of exporters are its parent's."""
    try:
        with trace.get_tracer(__name__).start_as_current_span("child"):
            pass
        os._exit(0)
    finally:
        os._exit(1)


service = Service()
app = Starlette(
    routes=[
        Route("/orders/{number:int}", service.order),
        Route("/documents/{number:int}", service.document),
        Route("/uploads/{number:int}", service.upload, methods=["POST"]),
        Route("/partner/{number:int}", service.partner),
        Route("/fork/{number:int}", service.fork),
        Route("/control/lags", service.lags),
        Route("/control/flush", service.flush),
    ],
    lifespan=service.life,
)
