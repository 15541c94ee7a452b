"""A service that asks its stores for what it reckoned from the clock. `uvicorn tests.promises.clocked_app:app`

`LATER` is what somebody adds to each offset between recording and replay, in seconds.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import time
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import psycopg
import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.promises.six_clients import DSN, HTTP, REDIS, aws, mongo, told

SCHEMA = "CREATE TABLE tokens (ends timestamptz, naive timestamp, seconds float8, ms bigint, day date, said text)"
INSERT = "INSERT INTO tokens VALUES ({}) RETURNING said"
SELECT = "SELECT count(*)::int FROM tokens WHERE ends > {}"
BUCKET = TABLE = "tokens"
UTC = datetime.timezone.utc
LATER_S = int(os.environ.get("LATER", "0"))
HOUR, MONTH = datetime.timedelta(hours=1, seconds=LATER_S), datetime.timedelta(days=30)


def settle() -> None:
    """An instant of whole milliseconds that is a whole second by chance is compared exactly (docs/limits.md): one of a
    thousand would miss."""
    while not 5 < int(time.time() * 1000) % 1000 < 950:
        time.sleep(0.01)


def token() -> list[Any]:
    """One that ends in an hour, as each kind of column would have it."""
    settle()
    ends = datetime.datetime.now(UTC) + HOUR
    seconds = time.time() + HOUR.total_seconds()
    return [ends, ends.replace(tzinfo=None), seconds, int(seconds * 1000), ends.date(), f"until {ends.isoformat()}"]


def month_ago() -> datetime.datetime:
    settle()
    return datetime.datetime.now(UTC) - MONTH


def with_psycopg() -> Any:
    with psycopg.connect(DSN, autocommit=True) as connection:
        said = connection.execute(INSERT.format(", ".join(["%s"] * 6)), token()).fetchone()
        return [said, connection.execute(SELECT.format("%s"), [month_ago()]).fetchone()]


async def _with_asyncpg() -> Any:
    connection = await asyncpg.connect(DSN)
    try:
        said = await connection.fetchval(INSERT.format(", ".join(f"${n}" for n in range(1, 7))), *token())
        return [said, await connection.fetchval(SELECT.format("$1"), month_ago())]
    finally:
        await connection.close()


def with_asyncpg() -> Any:
    return asyncio.run(_with_asyncpg())


def with_pymongo() -> Any:
    ends, naive, seconds, ms, _, said = token()
    mongo().tokens.insert_one({"_id": said, "ends": ends, "naive": naive, "seconds": seconds, "ms": ms})
    return mongo().tokens.count_documents({"ends": {"$gt": month_ago()}})


def with_redis() -> Any:
    """A limit by a sliding window, as everybody has it."""
    with redis.Redis.from_url(REDIS) as client, client.pipeline() as pipeline:
        now = time.time()
        pipeline.zremrangebyscore("limit:ming", 0, now - 60 - LATER_S)
        pipeline.zadd("limit:ming", {str(now): now})
        pipeline.zcard("limit:ming")
        pipeline.set("ends:ming", token()[-1], pxat=token()[3])
        return pipeline.execute()


def with_boto3() -> Any:
    _, _, seconds, ms, _, said = token()
    aws("dynamodb").Table(TABLE).put_item(Item={"id": said, "seconds": Decimal(str(seconds)), "ms": ms})
    aws("s3").Object(BUCKET, f"tokens/until_{ms}.json").put(Body=f'{{"ends": {seconds}}}', Metadata={"said": said})
    return "put"


def with_httpx() -> Any:
    ends, _, seconds, ms, _, _ = token()
    body = {"iat": seconds - 3600, "exp": seconds, "ends": ends.isoformat(), "nested": [{"ms": ms}]}
    answer = httpx.post(f"{HTTP}/echo", params={"ts": ms}, json=body)
    return answer.status_code


def answered() -> Any:
    ends, _, seconds, ms, _, said = token()
    return {"ends": ends.isoformat(), "seconds": seconds, "ms": ms, "said": said, "now": time.time()}


def tokens(request: Request) -> Response:
    asks = (with_psycopg, with_asyncpg, with_pymongo, with_redis, with_boto3, with_httpx, answered)
    return told(asks)


app = Starlette(routes=[Route("/tokens", tokens)])
