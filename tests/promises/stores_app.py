"""A service over PostgreSQL, MongoDB, AWS and a mail server. `uvicorn tests.promises.stores_app:app`

As in `app`, an environment variable stands for each change that somebody makes between recording and replay, and
without those that name servers it asks production hosts, which no machine can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import smtplib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError
from opentelemetry import baggage, context, propagate, trace
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from psycopg_pool import AsyncConnectionPool
from pymongo import MongoClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

URL = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal:5432/postgres?sslmode=verify-full")
SCHEMA = "CREATE TABLE orders (id uuid PRIMARY KEY, document text)"
MONGO = os.environ.get("MONGO_URL", "mongodb://mongo.prod.internal/")
MAIL = os.environ.get("MAIL", "mail.prod.internal:25")
BUCKET, QUEUE, TOPIC = "shop", "states", "arn:aws:sns:eu-west-1:123456789012:orders"
STATES, NUMBERS, FILES = ("pending", "packed", "done"), range(20), range(3)
PATIENCE_S = 600

pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
    URL, kwargs={"autocommit": True}, min_size=1, max_size=int(os.environ.get("POOL_SIZE", "5")), open=False
)
mongo: MongoClient[dict[str, Any]] = MongoClient(MONGO, connect=False)


@functools.cache
def aws(name: str) -> Any:
    return boto3.client(name, region_name="eu-west-1")


async def _value(statement: str, *values: object) -> Any:
    async with pool.connection() as connection:
        row: Any = await (await connection.execute(statement, values)).fetchone()
        return row[0]


# ---- R32 -------------------------------------------------------------------------------------------------------------


def poll(request: Request) -> Response:
    """POLLS times; what cannot be received is answered by its kind."""
    queue = aws("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]
    return JSONResponse([_received(queue) for _ in range(int(os.environ.get("POLLS", "3")))])


def _received(queue: str) -> str:
    try:
        (message,) = aws("sqs").receive_message(QueueUrl=queue)["Messages"]
    except BotoCoreError as error:
        return type(error).__name__
    body: str = message["Body"]
    return body


# ---- R34 -------------------------------------------------------------------------------------------------------------


async def gather(request: Request) -> Response:
    """In an order that SHUFFLE makes another one."""
    aws("s3")  # three threads would make one each
    asked = [*(_square(number) for number in NUMBERS), *(_file(number) for number in FILES)]
    order = list(range(len(asked)))
    random.Random(os.environ.get("SHUFFLE", "0")).shuffle(order)
    answers = await asyncio.gather(*(asked[place] for place in order))
    return JSONResponse([answer for _, answer in sorted(zip(order, answers, strict=True))])


async def _square(number: int) -> int:
    await _while_others_go_first()
    return int(await _value("SELECT %s::int * %s::int FROM pg_sleep(0.005)", number, number))


async def _file(number: int) -> str:
    await _while_others_go_first()
    return await asyncio.to_thread(_content, f"files/{number}")


async def _while_others_go_first() -> None:
    await asyncio.sleep(random.random() / 100 if "SHUFFLE" in os.environ else 0)


def _content(key: str) -> str:
    content: bytes = aws("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content.decode()


# ---- R35, R36 --------------------------------------------------------------------------------------------------------


async def order(request: Request) -> Response:
    """The same two ids in three stores, a message and the answer. TOTAL changes what the document says."""
    orders, key = mongo["shop"]["orders"], uuid.uuid4()
    document = {"customer": "ming", "total": int(os.environ.get("TOTAL", "12"))}
    made = (await asyncio.to_thread(orders.insert_one, document)).inserted_id
    found = await asyncio.to_thread(orders.find_one, {"_id": made})
    await asyncio.to_thread(_publish, f"invoices/{key}")
    stored = await _value("INSERT INTO orders VALUES (%s, %s) RETURNING id", key, str(made))
    return JSONResponse({"document": str(made), "found": str(found), "invoice": f"invoices/{key}", "id": str(stored)})


def _publish(invoice: str) -> None:
    """With BAGGAGE, which propagators put among the headers of a call and the attributes of a message."""
    with _carrying(os.environ.get("BAGGAGE", "")):
        aws("s3").put_object(Bucket=BUCKET, Key=invoice, Body=b"12.50")
        aws("sns").publish(TopicArn=TOPIC, Message=invoice)


@contextlib.contextmanager
def _carrying(tenant: str) -> Iterator[None]:
    """Calls carry what the application's propagators add, unless XRAY leaves it at that header; they are printed."""
    if "XRAY" not in os.environ:
        instrumentor: Any = BotocoreInstrumentor()  # type: ignore[no-untyped-call]  # upstream leaves it so
        instrumentor.propagator = propagate.get_global_textmap()
    aws("s3").meta.events.register_last("before-send.s3", _print_what_is_carried)
    token = context.attach(baggage.set_baggage("tenant", tenant)) if tenant else None
    try:
        yield
    finally:
        if token is not None:
            context.detach(token)


def _print_what_is_carried(request: Any, **_: object) -> None:
    found = {name.lower(): value for name, value in request.headers.items()}
    text = found.get("baggage", b"")
    print("carried:", text.decode() if isinstance(text, bytes) else text, "traceparent" in found, flush=True)


# ---- R51 -------------------------------------------------------------------------------------------------------------


def mail(number: int) -> str:
    """Without a span, unless somebody makes one."""
    host, _, port = MAIL.partition(":")
    try:
        with smtplib.SMTP(host, int(port), "shop.example", PATIENCE_S) as server:
            server.sendmail("shop@shop.example", "ming@mail.example", f"Subject: order {number}\r\n\r\npaid")
    except OSError as error:
        return type(error).__name__
    return "sent"


async def receipts(request: Request) -> Response:
    """One beside a span of the shop's own, and one that no span tells of."""
    number = int(await _value("SELECT 7"))
    host, _, port = MAIL.partition(":")
    told: dict[str, Any] = {"server.address": host, "server.port": int(port)}
    with trace.get_tracer("smtplib").start_as_current_span("send", kind=trace.SpanKind.CLIENT, attributes=told):
        first = await asyncio.to_thread(mail, number)
    return JSONResponse([first, await asyncio.to_thread(mail, number + 1)])


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with pool:
        yield
    mongo.close()


app = Starlette(
    routes=[Route(f"/{each.__name__}", each) for each in (poll, gather, order, receipts)],
    lifespan=lifespan,
)
