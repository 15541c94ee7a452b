"""A service whose pool asks something of each new connection. `uvicorn tests.promises.pool_app:app`

`TENANT` is what it sets there, which somebody changes between recording and replay.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
SET = "SELECT set_config('shop.tenant', $1, false)"
TENANT = os.environ.get("TENANT", "acme")
MOST = 3

pool: Any  # asyncpg has no types
held, let_go = asyncio.Event(), asyncio.Event()


async def set_up(connection: Any) -> None:
    await connection.execute("SET lock_timeout = '5s'")
    await connection.fetchval(SET, TENANT)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(DSN, min_size=1, max_size=MOST, init=set_up) as pool:
        yield


async def all_at_once(_: Request) -> JSONResponse:
    """Has every connection of the pool at one time."""
    asking: list[int] = []

    async def ask(number: int) -> Any:
        async with pool.acquire() as connection:
            asking.append(number)
            while len(asking) < MOST:
                await asyncio.sleep(0.01)
            return await connection.fetchval("SELECT $1::int * 2", number)

    return JSONResponse(await asyncio.gather(*map(ask, range(MOST))))


async def one(_: Request) -> JSONResponse:
    return JSONResponse(await pool.fetchval("SELECT 'one'"))


async def hold(_: Request) -> JSONResponse:
    """Has a connection while another request is answered."""
    async with pool.acquire():
        held.set()
        await let_go.wait()
    return JSONResponse("held")


async def wait_until_held(_: Request) -> JSONResponse:
    return JSONResponse(await held.wait())


async def release(_: Request) -> JSONResponse:
    let_go.set()
    return JSONResponse("released")


ROUTES = {"/all": all_at_once, "/one": one, "/hold": hold, "/held": wait_until_held, "/release": release}
app = Starlette(routes=[Route(path, function) for path, function in ROUTES.items()], lifespan=lifespan)
