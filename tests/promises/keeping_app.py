"""A service that asks once and keeps it: settings, a key, a token. `uvicorn tests.promises.keeping_app:app`"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DSN = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal/postgres")
HTTP = os.environ.get("HTTP_URL", "http://login.prod.internal")
SCHEMA = """
CREATE TABLE settings (name text, value text);
INSERT INTO settings VALUES ('currency', 'EUR'), ('rate', '3'), ('unit', 'kg');
CREATE SEQUENCE fees;
"""
AGAIN = bool(os.environ.get("AGAIN"))
"""Somebody asks the same twice since."""
SPLIT = bool(os.environ.get("SPLIT"))
"""Somebody has made two transactions of one since."""
KEPT: dict[str, Any] = {}


def ask(statement: str, *values: Any) -> Any:
    with psycopg.connect(DSN) as connection:
        return connection.execute(statement, values).fetchone()


@functools.cache
def currency() -> str:
    return str(ask("SELECT value FROM settings WHERE name = %s", "currency")[0])


@functools.cache
def token() -> str:
    form = {
        "grant_type": "client_credentials",
        "client_secret": os.environ.get("CLIENT_SECRET", "of-production-0a1b2c"),
    }
    answer = httpx.post(f"{HTTP}/echo", data=form)
    return f"of-{answer.status_code}"


async def rate(request: Request) -> JSONResponse:
    """What is kept, and what is not, in one transaction of a pool's connection."""
    number = request.path_params["number"]
    async with request.state.pool.acquire() as connection, connection.transaction():
        if "rate" not in KEPT:
            KEPT["rate"] = await connection.fetchval("SELECT value FROM settings WHERE name = $1", "rate")
        cents = await connection.fetchval("SELECT $1::int * 3", number)
    return JSONResponse({"cents": cents, "rate": KEPT["rate"]})


async def order(request: Request) -> JSONResponse:
    """What is kept has a transaction of its own before that of the request, which SQLAlchemy begins by itself."""
    number = request.path_params["number"]
    if "unit" not in KEPT:
        async with AsyncSession(request.state.engine) as session, session.begin():
            KEPT["unit"] = await session.scalar(text("SELECT value FROM settings WHERE name = :name"), {"name": "unit"})
    async with AsyncSession(request.state.engine) as session, session.begin():
        cents = await session.scalar(text("SELECT CAST(:number AS int) * 3"), {"number": number})
        if SPLIT:
            await session.commit()
            await session.begin()
        doubled = await session.scalar(text("SELECT CAST(:number AS int) * 6"), {"number": number})
    return JSONResponse({"cents": cents, "doubled": doubled, "unit": KEPT["unit"]})


async def fee(request: Request) -> JSONResponse:
    """What is kept until somebody asks anew; who comes `after` a while finds what others asked meanwhile."""
    await asyncio.sleep(float(request.query_params.get("after", 0)))
    if "fee" not in KEPT or "anew" in request.query_params:
        KEPT["fee"] = await request.state.pool.fetchval("SELECT nextval('fees'::text::regclass)")
    return JSONResponse({"fee": KEPT["fee"], "number": request.path_params["number"]})


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    engine = create_async_engine(DSN.replace("postgresql://", "postgresql+asyncpg://"), pool_size=1)
    async with asyncpg.create_pool(DSN, min_size=1, max_size=1) as pool:
        yield {"pool": pool, "engine": engine}
    await engine.dispose()


def price(request: Request) -> JSONResponse:
    number = request.path_params["number"]
    (cents,) = ask("SELECT %s::int * 3", number)
    if AGAIN:
        ask("SELECT %s::int * 3", number)
    answer = httpx.get(f"{HTTP}/echo", params={"number": number}, headers={"x-who": token()})
    return JSONResponse({"cents": cents, "currency": currency(), "status": answer.status_code})


app = Starlette(
    routes=[
        Route("/prices/{number:int}", price),
        Route("/rates/{number:int}", rate),
        Route("/orders/{number:int}", order),
        Route("/fees/{number:int}", fee),
    ],
    lifespan=lifespan,
)
