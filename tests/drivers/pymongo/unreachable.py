"""An application whose MongoDB is down: `python -m tests.drivers.pymongo.unreachable sync|async|motor URI [PID]`.

Prints what each call gave or raised. With a PID it ends that server after the first call.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any

from opentelemetry import trace
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError

Saw = list[list[str]]
CALLS: tuple[tuple[str, tuple[Any, ...]], ...] = (("find_one", ()), ("insert_one", ({"_id": 1},)), ("find_one", ()))


def said(error: PyMongoError) -> list[str]:
    labels = ("RetryableWriteError", "TransientTransactionError")
    return [type(error).__name__, str(error), *(each for each in labels if error.has_error_label(each))]


def sync(uri: str, server: int) -> Saw:
    saw: Saw = []
    with MongoClient[Any](uri) as client:
        things: Any = client.unreachable.things
        for number, (name, arguments) in enumerate(CALLS):
            try:
                saw.append([type(getattr(things, name)(*arguments)).__name__])
            except PyMongoError as error:
                saw.append(said(error))
            if number == 0:
                end(server)
    return saw


async def asynchronous(client: Any, server: int) -> Saw:
    saw: Saw = []
    for number, (name, arguments) in enumerate(CALLS):
        try:
            saw.append([type(await getattr(client.unreachable.things, name)(*arguments)).__name__])
        except PyMongoError as error:
            saw.append(said(error))
        if number == 0:
            end(server)
    return saw


async def by_pymongo(uri: str, server: int) -> Saw:
    async with AsyncMongoClient[Any](uri) as client:
        return await asynchronous(client, server)


async def by_motor(uri: str, server: int) -> Saw:
    from motor.motor_asyncio import AsyncIOMotorClient

    client: Any = AsyncIOMotorClient(uri)
    try:
        return await asynchronous(client, server)
    finally:
        client.close()


def end(server: int) -> None:
    if server:
        os.kill(server, signal.SIGKILL)


def main(kind: str, uri: str, server: str = "0") -> None:
    with trace.get_tracer("tests").start_as_current_span(f"GET /{kind}"):
        if kind == "sync":
            saw = sync(uri, int(server))
        else:
            saw = asyncio.run((by_pymongo if kind == "async" else by_motor)(uri, int(server)))
    print(json.dumps({"saw": saw}))


if __name__ == "__main__":
    main(*sys.argv[1:])
