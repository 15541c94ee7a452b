"""A request that asks seven libraries: `python -m tests.promises.mixed` records it, `test_mutants` changes it.

Almost everything is asked twice with one thing changed, so that a wrong answer lies near.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from opentelemetry import trace

MOMENT: Final = dt.datetime(2031, 5, 6, 7, 8, 9, 123000, dt.timezone.utc)
IDS: Final = ("5c4b1a70-3d2e-4f01-9a6b-7c8d9e0f1a2b", "5c4b1a70-3d2e-4f01-9a6b-7c8d9e0f1a2c")


def psycopg(environ: Mapping[str, str]) -> None:
    import psycopg as driver

    typed = "SELECT %s::numeric, %s::date, %s::text[], %s::bytea, %s::jsonb"
    with driver.connect(environ["POSTGRES"]) as connection:
        for number in (101, 102):
            connection.execute("SELECT %s::int AS order_id, 'paid' AS state WHERE %s = 'eu west'", (number, "eu"))
        connection.execute(typed, (Decimal("12.50"), MOMENT.date(), ["a", "b c"], b"\0\xff", '{"b": 1, "a": [2]}'))
        connection.execute("SELECT %s::uuid, %s::timestamptz, %s::bool", (IDS[0], MOMENT, True))
        connection.execute("CREATE TEMPORARY TABLE lines (place int, name text)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO lines VALUES (%s, %s)", [(1, "tea"), (2, "milk"), (3, None)])
        connection.execute("UPDATE lines SET name = 'oat  milk' WHERE place = 2 -- the shop's own remark")
        connection.execute("DELETE FROM lines WHERE place = 3")


async def asyncpg(environ: Mapping[str, str]) -> None:
    import asyncpg as driver

    connection = await driver.connect(environ["POSTGRES"])
    for number in (201, 202):
        await connection.fetch("SELECT $1::bigint AS item, $2::float8 AS weight", number, 1.5)
    async with connection.transaction():
        await connection.fetchval("SELECT $1::text || $2", "left", "right")
        await connection.fetchval("SELECT $1::uuid, $2::timestamptz", IDS[1], MOMENT)
    await connection.close()


def pymongo(environ: Mapping[str, str]) -> None:
    import bson
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](environ["MONGO"]) as client:
        orders, archive = client["shop"]["orders"], client["shop"]["archive"]
        lines = [{"sku": "tea", "n": 2}, {"sku": "milk", "n": bson.Int64(5)}]
        for number in (301, 302):
            orders.insert_one({"_id": number, "at": MOMENT, "lines": lines, "rate": 2.5, "seal": b"\1\2", "gone": None})
        for collection in (orders, archive):
            list(collection.find({"lines.n": {"$gte": 2, "$lt": 9}}, {"lines": 1}).sort([("at", 1), ("rate", -1)]))
        orders.update_one({"_id": 301}, {"$set": {"rate": 3.5, "paid": True}, "$unset": {"gone": ""}})
        list(orders.aggregate([{"$match": {"paid": True}}, {"$group": {"_id": "$rate", "n": {"$sum": 1}}}]))
        orders.delete_one({"_id": 302})


def boto3(environ: Mapping[str, str]) -> None:
    import boto3 as driver

    s3, table = driver.client("s3"), driver.client("dynamodb")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for number in (401, 402):
        s3.put_object(Bucket="shop", Key=f"invoices/{number}", Body=b"total 12.50", Metadata={"kind": "invoice"})
    s3.get_object(Bucket="shop", Key="invoices/401")["Body"].read()
    keys, kinds = [{"AttributeName": "id", "KeyType": "HASH"}], [{"AttributeName": "id", "AttributeType": "S"}]
    table.create_table(TableName="o", KeySchema=keys, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    item: Any = {"id": {"S": "a"}, "n": {"N": "7"}, "tags": {"SS": ["x", "y"]}, "sub": {"M": {"ok": {"BOOL": True}}}}
    for name in ("a", "b"):
        table.put_item(TableName="o", Item={**item, "id": {"S": name}})
        table.get_item(TableName="o", Key={"id": {"S": name}}, ConsistentRead=name == "a")
    queue = driver.client("sqs").create_queue(QueueName="mail")["QueueUrl"]
    driver.client("sqs").send_message(QueueUrl=queue, MessageBody='{"order": 401}', DelaySeconds=1)


def celery(environ: Mapping[str, str]) -> None:
    from celery import Celery, chain

    app = Celery("shop", broker="memory://")
    app.conf.update(task_ignore_result=True)

    @app.task(name="shop.pack")  # type: ignore[untyped-decorator]  # Celery has no types
    def pack(*args: Any, **kwargs: Any) -> None:
        """Nobody runs it."""

    for number in (501, 502):
        pack.apply_async((number, "tea", [1, 2.5, None]), {"to": {"city": "Oslo", "floor": 3}}, countdown=60)
    pack.apply_async((MOMENT.isoformat(), True), {"to": {}}, routing_key="slow", priority=3, headers={"tenant": "a"})
    chain(pack.si(503), pack.si(504, gift=True)).apply_async()


def httpx(environ: Mapping[str, str]) -> None:
    import httpx as driver

    url = environ["HTTP"] + "/echo"
    for number in (601, 602):
        driver.get(url, params={"order": number, "page": "1"}, headers={"Accept": "text/x", "X-Tenant": "a"})
    driver.post(url, json={"order": 603, "lines": [{"sku": "tea", "n": 1.0}], "note": None, "gift": True})
    driver.post(url, data={"order": "604", "size": "10"}, headers={"X-Tenant": "b"})
    driver.put(url, content=b"\x89raw bytes", headers={"Content-Type": "text/plain; charset=latin-1"})
    driver.delete(url, params={"order": 604})


def redis(environ: Mapping[str, str]) -> None:
    import redis as driver

    with driver.Redis.from_url(environ["REDIS"]) as client:
        for number in (701, 702):
            client.set(f"order:{number}", "paid", ex=90)
            client.get(f"order:{number}")
        client.hset("basket:1", mapping={"tea": 2, "milk": 1})
        client.zadd("rank", {"tea": 1.5, "milk": 2})
        with client.pipeline(transaction=True) as pipe:
            pipe.incr("sold:tea").expire("sold:tea", 60).execute()
        client.mget("order:701", "order:702")


def main(environ: Mapping[str, str]) -> None:
    with trace.get_tracer("mixed").start_as_current_span("mixed"):
        psycopg(environ)
        asyncio.run(asyncpg(environ))
        for ask in (pymongo, boto3, celery, httpx, redis):
            ask(environ)


if __name__ == "__main__":
    main(os.environ)
