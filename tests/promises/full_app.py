"""A service whose pools have one connection each. `uvicorn tests.promises.full_app:app`

`/hold/KIND` takes it for a while; `/try/KIND` gives up then, and has one later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
HELD_S, SHORT_S, LONG_S = 1.5, 0.2, 30.0
MORE = bool(os.environ.get("MORE"))
"""Somebody asks for a connection once more before."""
ONE = {"pool_size": 1, "max_overflow": 0, "pool_timeout": SHORT_S}
Work = Callable[[Request, float, float], Awaitable[int]]
"""Takes a connection within so long, and keeps it for so long."""


async def sync_pool(request: Request, patience_s: float, held_s: float) -> int:
    def work() -> int:
        with request.state.sync_pool.connection(patience_s) as connection:
            time.sleep(held_s)
            return int(connection.execute("select 7").fetchone()[0])

    return await run_in_threadpool(work)


async def async_pool(request: Request, patience_s: float, held_s: float) -> int:
    async with request.state.async_pool.connection(patience_s) as connection:
        await asyncio.sleep(held_s)
        return int((await (await connection.execute("select 7")).fetchone())[0])


async def asyncpg_pool(request: Request, patience_s: float, held_s: float) -> int:
    async with request.state.asyncpg_pool.acquire(timeout=patience_s) as connection:
        await asyncio.sleep(held_s)
        return int(await connection.fetchval("select 7"))


async def cancelled(request: Request, patience_s: float, held_s: float) -> int:
    """The application's own limit ends the wait."""
    connection = await asyncio.wait_for(request.state.asyncpg_pool.acquire(), patience_s)
    try:
        await asyncio.sleep(held_s)
        return int(await connection.fetchval("select 7"))
    finally:
        await request.state.asyncpg_pool.release(connection)


async def alchemy(request: Request, patience_s: float, held_s: float) -> int:
    def work() -> int:
        with _patient(request.state.engine, patience_s).connect() as connection:
            time.sleep(held_s)
            return int(connection.execute(text("select 7")).scalar() or 0)

    return await run_in_threadpool(work)


async def alchemy_async(request: Request, patience_s: float, held_s: float) -> int:
    _patient(request.state.async_engine.sync_engine, patience_s)
    async with request.state.async_engine.connect() as connection:
        await asyncio.sleep(held_s)
        return int((await connection.execute(text("select 7"))).scalar())


async def alchemy_cancelled(request: Request, patience_s: float, held_s: float) -> int:
    """The application's own limit ends the wait in SQLAlchemy's pool."""
    return await asyncio.wait_for(alchemy_async(request, LONG_S, held_s), patience_s + held_s)


def _patient(engine: Any, patience_s: float) -> Any:
    engine.pool._timeout = patience_s
    return engine


KINDS: dict[str, Work] = {
    each.__name__: each
    for each in (sync_pool, async_pool, asyncpg_pool, cancelled, alchemy, alchemy_async, alchemy_cancelled)
}


async def hold(request: Request) -> JSONResponse:
    return JSONResponse(await KINDS[request.path_params["kind"]](request, LONG_S, HELD_S))


async def attempt(request: Request) -> JSONResponse:
    work, told = KINDS[request.path_params["kind"]], list[str]()
    if MORE:
        await work(request, LONG_S, 0)
    try:
        await work(request, SHORT_S, 0)
    except Exception as error:  # noqa: BLE001  whatever a pool raises is what is looked at
        told = [type(error).__name__, str(error)]
    return JSONResponse({"told": told, "then": await work(request, LONG_S, 0)})


async def own(request: Request) -> JSONResponse:
    """The request itself has the pool's connection for a while, and asks for one more until it gets it."""

    async def insist() -> int:
        for refused in range(6):
            with contextlib.suppress(PoolTimeout):
                await async_pool(request, SHORT_S, 0)
                return refused
        return -1

    _, refused = await asyncio.gather(async_pool(request, LONG_S, 2.5 * SHORT_S), insist())
    return JSONResponse({"refused": refused})


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    with ConnectionPool(DSN, min_size=1, max_size=1, name="sync") as sync_pool:
        async with (
            AsyncConnectionPool(DSN, min_size=1, max_size=1, name="async", open=False) as async_pool,
            asyncpg.create_pool(DSN, min_size=1, max_size=1) as asyncpg_pool,
        ):
            yield {
                "sync_pool": sync_pool,
                "async_pool": async_pool,
                "asyncpg_pool": asyncpg_pool,
                "engine": create_engine(DSN.replace("postgresql://", "postgresql+psycopg://"), **ONE),
                "async_engine": create_async_engine(DSN.replace("postgresql://", "postgresql+asyncpg://"), **ONE),
            }


app = Starlette(
    routes=[Route("/hold/{kind}", hold), Route("/try/{kind}", attempt), Route("/own", own)], lifespan=lifespan
)
