"""A small Starlette app that is recorded and replayed in processes of their own."""

from __future__ import annotations

import asyncio
import datetime
import os
import random
import secrets
import socket
import uuid
from pathlib import Path

import amqp
import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

if os.environ.get("STARTUP") == "fails":
    raise RuntimeError("this app does not start here")


if os.environ.get("CHANCE"):
    random.random()


async def order(request: Request) -> JSONResponse:
    if os.environ.get("CHANCE"):
        random.random(), secrets.token_hex()
    return JSONResponse({"id": request.path_params["id"], "total": int(os.environ.get("TOTAL", "3"))})


async def fail(request: Request) -> JSONResponse:
    totals: dict[str, int] = {}
    return JSONResponse({"total": totals[request.url.path]})


async def minted(request: Request) -> JSONResponse:
    random.seed(7)
    made = {"id": str(uuid.uuid4()), "at": datetime.datetime.now(datetime.timezone.utc).isoformat()}
    return JSONResponse({**made, "random": random.random()})


async def call(request: Request) -> JSONResponse:
    target = os.environ.get("TARGET")
    if target is None:
        return JSONResponse("answered")
    connection = amqp.Connection(target, connect_timeout=5)
    try:
        await asyncio.to_thread(connection.connect)
        return JSONResponse("connected")
    except OSError as error:
        return JSONResponse(type(error).__name__)


async def reach(request: Request) -> JSONResponse:
    port = os.environ.get("HONEYPOT")
    if port is not None:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=5):
            return JSONResponse("reached")
    return JSONResponse("answered")


async def slow(request: Request) -> JSONResponse:
    if (began := os.environ.get("BEGAN")) is not None:
        Path(began).write_text(f"{os.getpid()}\n")
    await asyncio.sleep(float(os.environ.get("SLEEP", "0")))
    return JSONResponse("slept")


async def gone(request: Request) -> JSONResponse:
    if os.environ.get("GONE"):
        os._exit(9)
    return JSONResponse("here")


async def later(request: Request) -> JSONResponse:
    return JSONResponse("soon", background=BackgroundTask(asyncio.sleep, 0.01))


app = Starlette(
    routes=[
        Route("/orders/{id:int}", order),
        Route("/fail", fail),
        Route("/minted", minted),
        Route("/call", call),
        Route("/reach", reach),
        Route("/slow", slow),
        Route("/gone", gone),
        Route("/later", later),
    ]
)


def make() -> Starlette:
    return app


async def ask(*paths: str) -> None:
    """Sends the requests to the app, one after the other: what is recorded."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for path in paths:
            await client.get(path)
