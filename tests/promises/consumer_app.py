"""A service with a consumer of its own: a task that waits for jobs as long as the server runs.

`uvicorn tests.promises.consumer_app:app`. With `CHANGED` the request asks for another key.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

REDIS = os.environ["SHOP_REDIS"]
STOCK = "stock" if not os.environ.get("CHANGED") else "others"


async def consume(client: Redis) -> None:
    while True:
        try:
            job = await client.blpop(["jobs"], timeout=1)
            if job is not None:
                await client.incr("done")
        except RedisError:
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with Redis.from_url(REDIS) as client:
        consumer = asyncio.create_task(consume(client))
        yield
        consumer.cancel()


async def stock(request: Request) -> JSONResponse:
    async with Redis.from_url(REDIS) as client:
        await client.rpush("jobs", request.path_params["number"])
        await asyncio.sleep(0.1)
        return JSONResponse({"stock": await client.get(STOCK) is not None})


app = Starlette(routes=[Route("/stock/{number}", stock)], lifespan=lifespan)
