"""What everything that tells the time says of it: `python -m tests.promises.moments POSTGRES MONGO`.

Recorded with STARTS set, as if in that year; printed is one object of strings and truths, the same in each run.
"""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import json
import logging
import os
import sqlite3
import sys
import time
import uuid
from typing import Any

import asyncpg
import boto3
import bson
import psycopg
import pymongo
import uvloop
from opentelemetry import trace

UTC = datetime.timezone.utc


def year(seconds: float) -> int:
    return time.gmtime(seconds).tm_year


def of_python() -> dict[str, Any]:
    now = datetime.datetime.now(UTC)
    return {
        "now": now.year,
        "local": datetime.datetime.now().year,
        "today": datetime.date.today().year,
        "time": year(time.time()),
        "time_ns": year(time.time_ns() / 1e9),
        "clock_gettime": year(time.clock_gettime(time.CLOCK_REALTIME)),
        "localtime": time.localtime().tm_year,
        "strftime": time.strftime("%Y"),
        "http date": email.utils.formatdate(usegmt=True)[12:16],
        "log record": year(logging.makeLogRecord({}).created),
        "uuid1": (datetime.datetime(1582, 10, 15, tzinfo=UTC) + datetime.timedelta(0, 0, uuid.uuid1().time // 10)).year,
        "types": [type(now) is datetime.datetime, isinstance(now, datetime.date), json.dumps(now.isoformat())[1:5]],
    }


def of_bson() -> dict[str, Any]:
    now = datetime.datetime.now(UTC)
    again = bson.decode(bson.encode({"at": now}))["at"]
    return {
        "ObjectId": bson.ObjectId().generation_time.year,
        "encoded": again.replace(tzinfo=UTC) == now.replace(microsecond=now.microsecond // 1000 * 1000),
    }


def of_mongo(uri: str, dsn: str) -> dict[str, Any]:
    """And what another database, another server and a call of AWS are told of an id that the driver made."""
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        visits, now = client["clock"]["visits"], datetime.datetime.now(UTC)
        key = visits.insert_one({"at": now, "note": "a"}).inserted_id
        found = visits.find_one({"_id": key})
        assert found is not None
        own = bson.ObjectId()
        client["other"]["links"].insert_many([{"_id": str(key), "visit": key}, {"_id": own, "visits": [str(key), key]}])
        linked = client["other"]["links"].find_one({"visits": key, "_id": own})
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("select %s::text, %s::jsonb", (str(own), json.dumps({"key": str(key)})))
    boto3.client("dynamodb").list_tables(ExclusiveStartTableName=f"visits-{key}")
    return {
        "of the key": key.generation_time.year,
        "found": found["at"].year,
        "elsewhere": linked == {"_id": own, "visits": [str(key), key]},
    }


def of_psycopg(dsn: str) -> dict[str, Any]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        now = datetime.datetime.now(UTC)
        row = connection.execute("select %s::timestamptz, %s::timestamptz = %s", (now, now, now)).fetchone()
        assert row is not None
        return {"implementation": psycopg.pq.__impl__, "parameter": row[0].year, "equal": row[1]}


async def of_asyncpg(dsn: str) -> dict[str, Any]:
    connection = await asyncpg.connect(dsn)
    try:
        now = datetime.datetime.now(UTC)
        value = await connection.fetchval("select $1::timestamptz", now)
        began = time.monotonic()
        try:
            await connection.fetchval("select pg_sleep(30)", timeout=0.2)
        except asyncio.TimeoutError:
            late = 0.1 < time.monotonic() - began < 20
    finally:
        await connection.close()
    return {"parameter": value.year, "timeout": late}


def of_boto3() -> dict[str, Any]:
    signed: list[str] = []
    client = boto3.client("dynamodb")
    client.meta.events.register("before-send.dynamodb.*", lambda request, **_: signed.append(_date_of(request)))
    client.list_tables()
    s3 = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
    link = s3.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})
    return {"signed": signed, "presigned": link.partition("X-Amz-Date=")[2][:4]}


def _date_of(request: Any) -> str:
    value = request.headers["X-Amz-Date"]
    return (value if isinstance(value, str) else value.decode())[:4]


async def of_loop() -> dict[str, Any]:
    """Timeouts, sleeps and clocks of a loop go by real time, and run out."""
    loop, began = asyncio.get_running_loop(), time.monotonic()
    at = loop.time()
    await asyncio.sleep(0.1)
    try:
        await asyncio.wait_for(asyncio.sleep(30), 0.1)
    except asyncio.TimeoutError:
        pass
    took = [loop.time() - at, time.monotonic() - began]
    return {"loop": type(loop).__module__, "took": [0.19 < each < 20 for each in took]}


def of_c() -> str:
    with sqlite3.connect(":memory:") as database:
        return str(database.execute("select strftime('%Y', 'now')").fetchone()[0])


async def everything(dsn: str, mongo: str) -> dict[str, Any]:
    return {
        "python": of_python(),
        "bson": of_bson(),
        "pymongo": of_mongo(mongo, dsn),
        "psycopg": of_psycopg(dsn),
        "asyncpg": await of_asyncpg(dsn),
        "boto3": of_boto3(),
        "loop": await of_loop(),
        "in a thread": await asyncio.to_thread(lambda: datetime.datetime.now(UTC).year),
    }


def main(dsn: str, mongo: str) -> None:
    if starts := os.environ.get("STARTS"):
        import time_machine

        time_machine.travel(datetime.datetime.fromisoformat(starts), tick=True).start()
    found = {}
    with trace.get_tracer("clock").start_as_current_span("moments"):
        for name, make in (("uvloop", uvloop.new_event_loop), ("asyncio", asyncio.new_event_loop)):
            loop = make()
            found[name] = loop.run_until_complete(everything(dsn, mongo))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
    print(json.dumps(found, sort_keys=True))
    print(of_c())


if __name__ == "__main__":
    main(*sys.argv[1:])
