"""The service that the promises are tried on. `uvicorn tests.promises.app:app`

An environment variable stands for each change that somebody makes to its code between recording and replay. Without
DATABASE_URL it asks a production host, which no machine can reach.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import socket
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import psycopg
from opentelemetry import trace
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

URL = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal:5432/postgres?sslmode=verify-full")
SCHEMA = """
CREATE TABLE payments (
  id int PRIMARY KEY, payer text NOT NULL, amount numeric(12, 2) NOT NULL, fee double precision, settled boolean,
  due timestamptz, reference uuid, details jsonb, note text, tags text[], seal bytea);
CREATE TABLE accounts (name text PRIMARY KEY, balance numeric(12, 2) NOT NULL);
INSERT INTO accounts VALUES ('ming', 100), ('zoe', 50);
CREATE TABLE users (name text, password text, api_key text);
CREATE SEQUENCE states;
CREATE TABLE visits (id uuid, page uuid, at timestamptz);
"""
PAYMENT = {
    "id": 71,
    "payer": "ming",
    "amount": Decimal("12.50"),
    "fee": 0.25,
    "settled": True,
    "due": dt.datetime(2024, 2, 29, 12, 30, 1, 500, dt.timezone.utc),
    "reference": uuid.UUID("6f1c9a52-3b1e-4b43-9f61-5a2b4b1f0d3e"),
    "details": Jsonb({"items": [{"sku": "tea", "count": 2}, {"sku": "mug", "count": 1}], "gift": None}),
    "note": None,
    "tags": ["new", "web"],
    "seal": b"\x00\xffseal",
}

BINARY = "BINARY" in os.environ
POOL_SIZE = int(os.environ.get("POOL_SIZE", "5"))
OPTIONS: dict[str, Any] = {"row_factory": dict_row, "autocommit": True}

pool: AsyncConnectionPool[Any] = AsyncConnectionPool(URL, kwargs=OPTIONS, min_size=1, max_size=POOL_SIZE, open=False)
pool_of_threads: ConnectionPool[Any] = ConnectionPool(URL, kwargs=OPTIONS, min_size=1, max_size=POOL_SIZE, open=False)


class Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        return json.dumps(content, default=_plain).encode()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


async def pay(request: Request) -> Response:
    """Values of many types on their way in and out, in a transaction that moves money."""
    columns = ", ".join(PAYMENT)
    async with pool.connection() as connection, connection.transaction():
        insert = f"INSERT INTO payments ({columns}) VALUES ({', '.join(f'%({name})s' for name in PAYMENT)}) RETURNING *"
        payment: Any = await (await connection.execute(insert, PAYMENT)).fetchone()
        move = "UPDATE accounts SET balance = balance + %s WHERE name = %s RETURNING name, balance"
        paid = await (await connection.execute(move, (Decimal("-12.50"), "ming"))).fetchall()
        got = await (await connection.execute(move, (Decimal("12.25"), "zoe"))).fetchall()
    async with pool.connection() as connection:
        late = await connection.execute(
            "SELECT id, payer FROM payments WHERE due < %s AND tags @> %s AND reference = %s AND settled = %s",
            (PAYMENT["due"] + dt.timedelta(days=1), ["web"], PAYMENT["reference"], True),  # type: ignore[operator]
        )
        found = await late.fetchall()
    payment["seal"] = payment["seal"].hex()
    content = {"payment": payment, "accounts": {"moved": [*paid, *got]}, "late": found, "ok": True}
    return Json(content, 201, {"location": "/payments/71", "x-moved": "2"})


async def visit(request: Request) -> Response:
    """Two ids and a moment of its own making. MOVED: made at another place; CROSSED: each where the other was."""
    ids = [uuid.uuid4(), uuid.uuid4()] if "MOVED" not in os.environ else _moved_ids()
    now = dt.datetime.now(dt.timezone.utc)
    async with pool.connection() as connection:
        await connection.execute("INSERT INTO visits VALUES (%s, %s, %s)", (*ids, now))
        if "CROSSED" in os.environ:
            ids.reverse()
        cursor = await connection.execute("SELECT count(*) AS visits FROM visits WHERE id = %s", (ids[0],))
        row: Any = await cursor.fetchone()
    return Json({"visits": row["visits"], "id": ids[0], "page": ids[1], "at": now})


def _moved_ids() -> list[uuid.UUID]:
    return [uuid.uuid4() for _ in range(2)]


async def poll(request: Request) -> Response:
    """R32: asks again and again whether something is done."""
    async with pool.connection() as connection:
        states = [await _state(connection) for _ in range(int(os.environ.get("POLLS", "3")))]
    return Json({"states": states})


async def _state(connection: psycopg.AsyncConnection[Any]) -> int:
    row: Any = await (await connection.execute("SELECT nextval('states') AS state")).fetchone()
    return int(row["state"])


def poll_in_a_thread(request: Request) -> Response:
    """The same with a pool for threads."""
    with pool_of_threads.connection() as connection:
        rows: Any = [connection.execute("SELECT nextval('states') AS state").fetchone() for _ in range(3)]
        states = [row["state"] for row in rows]
    return Json({"states": states})


async def gather(request: Request) -> Response:
    """R34: twenty questions at once, in an order that SHUFFLE makes another one."""
    numbers = list(range(20))
    random.Random(os.environ.get("SHUFFLE", "0")).shuffle(numbers)
    answers = dict(await asyncio.gather(*(_square(number) for number in numbers)))
    return Json({"squares": [answers[number] for number in range(20)]})


async def _square(number: int) -> tuple[int, int]:
    await asyncio.sleep(random.random() / 100 if "SHUFFLE" in os.environ else 0)
    with trace.get_tracer("app").start_as_current_span("square") if "SPANS" in os.environ else contextlib.nullcontext():
        return await _squared(number)


async def _squared(number: int) -> tuple[int, int]:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT %s::int * %s::int AS square, pg_sleep(0.005)::text", (number, number), binary=BINARY
        )
        row: Any = await cursor.fetchone()
        return number, int(row["square"])


async def thirty(request: Request) -> Response:
    """Thirty statements; ASKED has the seventeenth in other words, and IDS what is asked for by id, else 1 and 2."""
    values: dict[str, Any] = {}
    for number in range(1, 31):
        added = " + 0" if number == 17 and "ASKED" in os.environ else ""
        values[str(number)] = await _answer(f"SELECT {number} * %s::int{added} AS answer", 10)
    for wanted in os.environ.get("IDS", "1,2").split(","):
        values[f"id {wanted}"] = await _answer("SELECT -(%s::int) AS answer", int(wanted))
    return Json(values)


async def _answer(statement: str, value: int) -> Any:
    """None where it fails: the service hides it."""
    with contextlib.suppress(psycopg.Error):
        async with pool.connection() as connection:
            row: Any = await (await connection.execute(statement, (value,), binary=BINARY)).fetchone()
            return row["answer"]


async def balance(request: Request) -> Response:
    """R33: CAREFUL says how the code deals with a statement that fails, once it is CHANGED."""
    changed = "SELECT balance FROM accounts WHERE name = %s"
    statement = changed + " FOR UPDATE" if "CHANGED" in os.environ else changed
    ask = lambda: _one(statement, "ming")  # noqa: E731  it is asked from two places
    if "ASKED_AGAIN" in os.environ:
        await _with_a_default(_names)
    careful = CAREFUL[os.environ.get("CAREFUL", "not at all")]
    return Json({"balance": await careful(ask)})


async def _names() -> list[Any]:
    async with pool.connection() as connection:
        names: list[Any] = await (await connection.execute("SELECT name FROM accounts ORDER BY name")).fetchall()
    return names


async def later(request: Request) -> Response:
    """R19: a stream, with answers of the database between its chunks, and work after the last of them.

    The work stores an id from before the response and one of its own.
    """
    early = uuid.uuid4()
    statement = "SELECT balance FROM accounts WHERE name = %s"
    changed = statement + " FOR UPDATE" if "CHANGED" in os.environ else statement

    async def chunks() -> AsyncIterator[str]:
        for name in ("ming", "zoe"):
            yield f"{await _one(statement, name)}\n"

    async def after() -> None:
        await asyncio.sleep(0.2)
        await _one(changed, "ming")
        async with pool.connection() as connection:
            await connection.execute("INSERT INTO visits VALUES (%s, %s, now())", (early, uuid.uuid4()))

    return StreamingResponse(chunks(), media_type="text/plain", background=BackgroundTask(after))


async def _one(statement: str, *values: object) -> Any:
    async with pool.connection() as connection:
        row: Any = await (await connection.execute(statement, values)).fetchone()
        return row["balance"]


Ask = Callable[[], Awaitable[Any]]


async def _plainly(ask: Ask) -> Any:
    return await ask()


async def _with_a_default(ask: Ask) -> Any:
    try:
        return await ask()
    except Exception:  # noqa: BLE001  what R33 is about
        return Decimal("87.50")


async def _retrying_what_is_worth_it(ask: Ask) -> Any:
    for attempt in range(8):
        with contextlib.suppress(psycopg.OperationalError):
            return await ask()
        await asyncio.sleep(2**attempt)
    return None


async def _retrying_everything(ask: Ask) -> Any:
    for attempt in range(8):
        with contextlib.suppress(Exception):
            return await ask()
        await asyncio.sleep(2**attempt)
    return None


CAREFUL: dict[str, Callable[[Ask], Awaitable[Any]]] = {
    "not at all": _plainly,
    "default": _with_a_default,
    "retries of OperationalError": _retrying_what_is_worth_it,
    "retries of everything": _retrying_everything,
}


async def world(request: Request) -> Response:
    """REACH: it tries to leave the machine, and hides that it could not."""
    if "REACH" in os.environ:
        for attempt in (_resolve, _connect, _send):
            began = time.monotonic()
            with contextlib.suppress(OSError):
                attempt()
            assert time.monotonic() - began < 4  # a name that is asked for takes 5 s without a network
    return Json({"world": "fine"})


def _resolve() -> None:
    socket.getaddrinfo("api.example", 443)


def _connect() -> None:
    socket.create_connection(("203.0.113.9", 443), timeout=5).close()


def _send() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"1|c", ("203.0.113.9", 8125))


async def secrets(request: Request) -> Response:
    """R46: what came in goes out again, in every carrier, and through the database."""
    sent = await request.json()
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO users (name, password, api_key) VALUES (%s, %s, %s)",
            ("ming", sent["password"], sent["user"]["Token"]),
        )
        await connection.execute(f"UPDATE users SET password = '{sent['literal']['password']}' WHERE name = 'zoe'")
        rows = await (await connection.execute("SELECT name, password, api_key FROM users")).fetchall()
    headers = {name: sent["back"][name] for name in ("Authorization", "X-API-KEY", "Proxy-Authorization")}
    response = Json({"rows": rows, "user": {"Secret": sent["back"]["secret"]}}, headers=headers)
    response.set_cookie("session", sent["back"]["cookie"])
    return response


async def form(request: Request) -> Response:
    """A secret goes on into a statement that does not name it."""
    fields = await request.form()
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) AS guessed, %s AS sent FROM accounts WHERE md5(name) = md5(%s)", (fields["password"],) * 2
        )
        row = await cursor.fetchone()
    return Json({"fields": len(fields), "refresh_token": fields["password"], "guessed": row["guessed"]})


async def fail(request: Request) -> Response:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1 / (balance - balance) FROM accounts WHERE name = %s", ("ming",))
    return Json({})


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with pool:
        await _names()
        with pool_of_threads:
            yield


app = Starlette(
    routes=[
        Route("/payments", pay, methods=["POST"]),
        Route("/visits", visit, methods=["POST"]),
        Route("/visits-in-gzip", visit, methods=["POST"]),
        Route("/poll", poll),
        Route("/poll-in-a-thread", poll_in_a_thread),
        Route("/gather", gather),
        Route("/balance", balance),
        Route("/thirty", thirty),
        Route("/world", world),
        Route("/later", later),
        Route("/secrets", secrets, methods=["POST"]),
        Route("/form", form, methods=["POST"]),
        Route("/fail", fail),
    ],
    middleware=[Middleware(GZipMiddleware, minimum_size=10)],
    lifespan=lifespan,
)
