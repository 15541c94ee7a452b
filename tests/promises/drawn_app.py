"""A service that tells its stores what it draws from chance. `uvicorn tests.promises.drawn_app:app`

Each store is asked for what it was told, and what it answers is compared with what was drawn.

`CHANGED` is what somebody did between recording and replay: `again` draws a second code where the first was meant,
`own` draws one in place of that which the request gives, `status` asks with another word.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import secrets
import socket
import string
import time
import uuid
from typing import Any

import asyncpg
import httpx
import psycopg
import redis
import ulid
import uuid6
import uuid_utils
from opentelemetry import propagate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.promises.six_clients import DSN, HTTP, REDIS, aws, mongo, told

SCHEMA = "CREATE TABLE orders (code text, slug text, pin text, number int, raw bytea, status text, ref uuid)"
INSERT = "INSERT INTO orders VALUES ({}) RETURNING code, number"
KEPT = "SELECT code, slug, raw, ref FROM orders WHERE ref = {}"
SELECT = "SELECT count(*)::int FROM orders WHERE code = {}"
BUCKET = TABLE = "orders"
KEY = "latest.txt"
CHANGED = os.environ.get("CHANGED", "")


def letters(count: int) -> str:
    return "".join(random.choices(string.ascii_uppercase + string.digits, k=count))


def code() -> str:
    return f"ORD-{letters(8)}"


def meant(told: str) -> str:
    """The code of a request that was told one."""
    return code() if CHANGED == "again" else told


def order() -> list[Any]:
    """One as each kind of column would have it."""
    slug = "".join(secrets.choice(string.ascii_lowercase) for _ in range(10))
    status = "new" if CHANGED != "status" else "old"
    return [code(), slug, f"{random.randrange(10**6):06d}", random.randint(10**5, 10**9), os.urandom(16), status]


def ref() -> uuid.UUID:
    """An id that sorts by time."""
    return uuid6.uuid7()


def with_psycopg() -> Any:
    with psycopg.connect(DSN, autocommit=True) as connection:
        made = [*order(), ref()]
        told = connection.execute(INSERT.format(", ".join(["%s"] * 7)), made).fetchone()
        counted = connection.execute(SELECT.format("%s"), [meant(made[0])]).fetchone()
        kept = connection.execute(KEPT.format("%s"), [made[6]]).fetchone()
        return [told, made[3], counted, kept == (made[0], made[1], made[4], made[6])]


async def _with_asyncpg() -> Any:
    connection = await asyncpg.connect(DSN)
    try:
        made = [*order(), ref()]
        told = await connection.fetchval(INSERT.format(", ".join(f"${n}" for n in range(1, 8))), *made)
        counted = await connection.fetchval(SELECT.format("$1"), meant(made[0]))
        kept = await connection.fetchrow(KEPT.format("$1"), made[6])
        return [told, counted, tuple(kept) == (made[0], made[1], made[4], made[6])]
    finally:
        await connection.close()


def with_asyncpg() -> Any:
    return asyncio.run(_with_asyncpg())


def with_pymongo() -> Any:
    called, slug, pin, number, raw, status = order()
    mongo().orders.insert_one({"_id": called, "slug": slug, "pin": pin, "number": number, "raw": raw, "status": status})
    kept = mongo().orders.find_one({"slug": slug})
    return [mongo().orders.count_documents({"_id": meant(called)}), (kept["_id"], kept["raw"]) == (called, raw)]


def with_redis() -> Any:
    """A lock, a session and a queue, as everybody has them."""
    key, token, called = f"session:{secrets.token_urlsafe(16)}", secrets.token_hex(8), code()
    with redis.Redis.from_url(REDIS) as client:
        client.set("lock:shop", token, nx=True, px=30_000)
        client.set("owner", f"{socket.gethostname()}:{os.getpid()}")
        client.set(f"hash:{hashlib.sha256(token.encode()).hexdigest()}", str(uuid.uuid1()))
        client.set(f"cart:{ulid.ULID()}", str(uuid_utils.uuid7()))
        context: dict[str, str] = {}
        propagate.inject(context)
        client.lpush("events", json.dumps({"context": context, "at": time.time()}))
        client.lpush("events", json.dumps({"code": called, "context": context, "at": time.time()}))
        client.set(key, json.dumps({"code": called, "at": time.time(), "status": order()[-1]}), ex=60)
        client.expire(key, 120)
        is_held = client.get("lock:shop") == token.encode()
        return [client.set(f"by:{meant(called)}", key), is_held, called.encode() in client.lindex("events", 0)]


def with_boto3() -> Any:
    called, _, pin, number, raw, status = order()
    aws("dynamodb").Table(TABLE).put_item(Item={"id": called, "pin": pin, "number": number, "raw": raw, "was": status})
    aws("s3").Object(BUCKET, f"orders/2026/{meant(called)}_{secrets.token_hex(4)}.json").put(Body=called.encode())
    kept = aws("dynamodb").Table(TABLE).get_item(Key={"id": called})["Item"]
    stored = aws("s3").Object(BUCKET, KEY).put(Body=called.encode()) and aws("s3").Object(BUCKET, KEY).get()
    return [(kept["id"], kept["raw"].value) == (called, raw), stored["Body"].read() == called.encode()]


def with_httpx() -> Any:
    called, slug, pin, number, _, status = order()
    body = {"code": called, "slug": slug, "pin": pin, "nested": [{"number": number}], "status": status}
    answer = httpx.post(f"{HTTP}/mirror", params={"order": meant(called)}, json=body)
    return [answer.status_code, [answer.json()[each] for each in ("code", "slug", "pin")] == [called, slug, pin]]


def answered() -> Any:
    return {"code": code(), "number": random.randint(10**5, 10**6), "token": secrets.token_hex(16)}


def orders(request: Request) -> Response:
    asks = (with_psycopg, with_asyncpg, with_pymongo, with_redis, with_boto3, with_httpx, answered)
    return told(asks)


def given(request: Request) -> Response:
    """An order of which the request says the code."""
    called = code() if CHANGED == "own" else request.path_params["code"]
    with psycopg.connect(DSN, autocommit=True) as connection:
        return JSONResponse(connection.execute(SELECT.format("%s"), [called]).fetchone())


app = Starlette(routes=[Route("/orders", orders), Route("/orders/{code}", given)])
