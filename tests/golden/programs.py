"""What the golden cassettes hold: `python -m tests.golden.programs NAME` asks for it, and prints what it got.

Never changed once its cassette is committed: it is one half of what is compared.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import trace

DSN: Final = os.environ.get("GOLDEN_POSTGRES", "postgresql://app@db.golden.internal:5432/postgres")
MONGO: Final = os.environ.get("GOLDEN_MONGO", "mongodb://mongo.golden.internal:27017/")
REDIS: Final = os.environ.get("GOLDEN_REDIS", "redis://redis.golden.internal:6379/")
API: Final = "http://api.golden.internal:8099"
LINES: Final = "SELECT n, n * %s AS total, 'line ' || n AS name FROM generate_series(1, 3) AS n ORDER BY n"


def psycopg() -> list[Any]:
    import psycopg as driver

    with driver.connect(DSN) as connection:
        rows = connection.execute(LINES, (7,)).fetchall()
        return [rows, connection.execute("SELECT 1.50::numeric, '{a,b}'::text[], now() IS NOT NULL").fetchone()]


def asyncpg() -> list[Any]:
    import asyncpg as driver

    async def ask() -> list[Any]:
        connection = await driver.connect(DSN)
        try:
            rows = await connection.fetch(LINES.replace("%s", "$1::int"), 7)
            async with connection.transaction():
                value = await connection.fetchval("SELECT '{\"a\": 1}'::jsonb->>'a'")
        finally:
            await connection.close()
        return [[tuple(row) for row in rows], value]

    return asyncio.run(ask())


def pymongo() -> list[Any]:
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](MONGO) as client:
        orders = client["golden"]["orders"]
        orders.insert_many([{"_id": number, "total": number * 7} for number in range(1, 4)])
        return [list(orders.find({"total": {"$gte": 14}}).sort("_id")), orders.count_documents({})]


def botocore() -> list[Any]:
    import boto3

    client = boto3.client("dynamodb", region_name="eu-west-1")
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "id", "AttributeType": "S"}]
    client.create_table(TableName="golden", KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    client.put_item(TableName="golden", Item={"id": {"S": "a"}, "total": {"N": "7"}})
    return [client.get_item(TableName="golden", Key={"id": {"S": "a"}})["Item"]]


def redis() -> list[Any]:
    import redis as driver

    with driver.Redis.from_url(f"{REDIS}2") as client:
        client.delete("golden")
        with client.pipeline() as pipe:
            pipe.rpush("golden", "a", b"\xff", "c").lrange("golden", 0, -1)
            together = pipe.execute()
        return [together, client.hset("golden:1", mapping={"total": 7}), client.hgetall("golden:1"), client.get("no")]


def http() -> list[Any]:
    import httpx
    import requests

    got = httpx.get(f"{API}/orders", params={"page": 2})
    made = requests.post(f"{API}/orders", json={"total": 7}, timeout=10)
    return [got.status_code, got.json(), made.status_code, made.headers["location"]]


PROGRAMS: Final[Mapping[str, Callable[[], list[Any]]]] = {
    "asyncpg": asyncpg,
    "botocore": botocore,
    "http": http,
    "psycopg": psycopg,
    "pymongo": pymongo,
    "redis": redis,
}
APPS: Final = {"asgi": "tests.golden.web:app", "celery": "tests.golden.tasks:app"}
"""Of the cassettes that hold a request or a task, which runs again as it is."""


def main(name: str) -> None:
    with trace.get_tracer("golden").start_as_current_span(name):
        print(PROGRAMS[name]())


if __name__ == "__main__":
    main(sys.argv[1])
