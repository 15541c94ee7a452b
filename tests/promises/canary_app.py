"""A service that handles secrets carelessly, in every place that a recording looks at.

`python -m tests.promises.canary_app --port N --password SECRET`, under `opentelemetry-instrument`; without a port it
works off a task in a forked child.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import os
from typing import Any

import psycopg
import uvicorn
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

SCHEMA = """CREATE TABLE users (name text, password text, api_key text, note text);
CREATE TABLE logins (password text PRIMARY KEY, seen int)"""
BIG_BYTES = 3 * 1024 * 1024

URL = os.environ.get("DATABASE_URL", "postgresql://app@db.prod.internal:5432/postgres")
OWN = json.loads(os.environ.get("CANARIES", "{}"))
"""Secrets that the service has of its own, by where it lets them out."""

tracer = trace.get_tracer("canaries")


async def _execute(statement: str, *values: object) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(URL, autocommit=True, row_factory=dict_row) as connection:
        cursor = await connection.execute(statement, values or None)
        return await cursor.fetchall() if cursor.description else []


async def carriers(request: Request) -> Response:
    """Headers, cookie and query in; headers, cookies and JSON out; SQL between them."""
    sent = json.loads(await request.body())
    await _execute(f"UPDATE users SET password = '{sent['user']['Password']}' WHERE name = 'zoe'")
    insert = "INSERT INTO users (name, password, api_key) VALUES (%s, %s, %s) RETURNING *"
    rows = await _execute(insert, "ming", sent["user"]["Token"], request.headers["x-api-key"])
    session = request.cookies["session"]
    settings = json.dumps([{"key": "api_token", "value": OWN["pair"]}, *sent["environment"]])
    (told,) = await _execute("SELECT %s::jsonb AS jsonb, %s::text AS text", settings, settings)
    answer = {
        "rows": rows,
        "told": told,
        "Refresh_Token": sent["refresh"]["token"],
        "who": session,
        "page": request.query_params["page"],
    }
    response = JSONResponse(answer, headers={"X-Auth-Token": sent["refresh"]["token"], "X-Who": f"id={session}"})
    response.set_cookie("session", f"{session}-new")
    return response


async def form(request: Request) -> Response:
    """A form of either kind."""
    async with request.form() as fields:
        password = fields["password"]
        (row,) = await _execute("SELECT length(%s) AS size, %s AS note", password, password)
        return JSONResponse({"secret": row["note"], "size": row["size"], "fields": len(fields)})


async def packed(request: Request) -> Response:
    """JSON in gzip, both ways."""
    sent = json.loads(gzip.decompress(await request.body()))
    body = gzip.compress(json.dumps({"Access-Token": sent["credentials"]["client_secret"]}).encode(), mtime=0)
    return Response(body, media_type="application/json", headers={"content-encoding": "gzip"})


async def traced(request: Request) -> Response:
    """Spans whose names, attributes, events, links and status tell secrets."""
    context = SpanContext(1 << 64, 1 << 32, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span(
        f"login token={OWN['name']}",
        links=[Link(context, {"api_key": OWN["link"]})],
        attributes={
            "user.password": OWN["attribute"],
            "http.request.header.authorization": (f"Bearer {OWN['attribute']}",),
            "url.full": f"https://ann:{OWN['attribute']}@shop.example/?api_key={OWN['attribute']}",
            "db.statement.parameters": f"('ann', '{OWN['attribute']}')",
        },
    ) as span:
        span.add_event("tried", {"cookie": f"sid={OWN['event']}"})
        span.record_exception(ValueError(f"wrong password='{OWN['event']}'"))
        span.set_status(Status(StatusCode.ERROR, f"passwd={OWN['status']}"))
    return JSONResponse({"ok": True})


async def fail(request: Request) -> Response:
    """An exception whose text and whose cause hold a DSN and a header."""
    try:
        raise ConnectionError(f"no route to postgresql://app:{OWN['dsn']}@db.shop.example/shop")
    except ConnectionError as error:
        raise RuntimeError(f"Authorization: Bearer {OWN['traceback']}") from error


async def wrong(request: Request) -> Response:
    """An error of the database, which repeats the value."""
    secret = json.loads(await request.body())["secret"]
    await _execute(f"INSERT INTO logins (password, seen) VALUES ('{secret['literal']}', 1)")
    await _execute("INSERT INTO logins (password, seen) VALUES (%s, %s)", secret["parameter"], 1)
    await _execute("INSERT INTO logins (password, seen) VALUES (%s, %s)", secret["parameter"], 2)
    return JSONResponse({})


async def big(request: Request) -> Response:
    """A body that is too large for memory, with a secret in its middle; in text or in binary."""
    secret = (await request.body()).rpartition(b"token=")[2].strip()
    filler = b"lorem ipsum\n" if request.query_params["kind"] == "text" else b"\x00\x01\x02\xff"
    half = filler * (BIG_BYTES // len(filler) // 2)
    kind = "text/plain" if request.query_params["kind"] == "text" else "application/octet-stream"
    return Response(half + b"\ntoken=" + secret + b"\n" + half, media_type=kind)


async def digest(request: Request) -> Response:
    """What really came in, said in a way that no rule masks."""
    received = await request.body()
    return JSONResponse({"sha256": hashlib.sha256(received).hexdigest(), "length": request.headers["content-length"]})


async def slow(request: Request) -> Response:
    """It never answers: what was captured until now is all there will be."""
    secret = json.loads(await request.body())
    await _execute("UPDATE users SET api_key = %s WHERE password = %s", secret["token"], secret["password"])
    print("slow: waiting", flush=True)
    await asyncio.sleep(3600)
    return PlainTextResponse("never")


app = Starlette(
    routes=[
        Route("/carriers", carriers, methods=["POST", "PUT"]),
        Route("/form", form, methods=["POST"]),
        Route("/packed", packed, methods=["PATCH"]),
        Route("/traced", traced, methods=["POST"]),
        Route("/fail", fail, methods=["POST"]),
        Route("/wrong", wrong, methods=["DELETE"]),
        Route("/big", big, methods=["POST"]),
        Route("/digest", digest, methods=["POST", "PUT", "PATCH", "DELETE"]),
        Route("/slow", slow, methods=["POST"]),
    ]
)


async def task() -> None:
    """Work without a server, which never ends."""
    with tracer.start_as_current_span(f"task token={OWN['name']}", kind=trace.SpanKind.CONSUMER):
        await _execute("UPDATE users SET api_key = %s WHERE password = %s", OWN["link"], OWN["attribute"])
        await _execute(f"UPDATE users SET password = '{OWN['event']}'")
        print("task: waiting", flush=True)
        await asyncio.sleep(3600)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--password")
    port = parser.parse_args().port
    if port is not None:
        uvicorn.run("tests.promises.canary_app:app", port=port, timeout_graceful_shutdown=2)
    elif child := os.fork():
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
    else:
        asyncio.run(task())


if __name__ == "__main__":
    main()
