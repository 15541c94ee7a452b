"""Attempts that a broken network ate: each is an exchange, and in replay the driver's own retry runs again."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import AutoReconnect

from tests.drivers.pymongo.dropping import DroppingProxy
from tests.drivers.pymongo.taping import replayed, taps
from tests.servers.mongo import MongoServer

pytestmark = pytest.mark.usefixtures("spans")
PRODUCTION = "mongodb://db.prod.example:27017/?directConnection=true&tls=true"
IN_TIME_S = 29
"""A driver that finds no server waits for 30."""


def sync(uri: str) -> Any:
    with MongoClient[Any](uri) as client:
        client.retries.things.insert_one({"_id": 1, "by": "sync"})
        return client.retries.things.find_one({"_id": 1})


async def _asynchronous(uri: str) -> Any:
    async with AsyncMongoClient[Any](uri) as client:
        await client.retries.things.insert_one({"_id": 1, "by": "async"})
        return await client.retries.things.find_one({"_id": 1})


def asynchronous(uri: str) -> Any:
    return asyncio.run(_asynchronous(uri))


@pytest.mark.parametrize("program", [sync, asynchronous])
def test_r03_each_attempt_is_an_exchange_and_replay_succeeds_once(server: MongoServer, program: Any) -> None:
    with MongoClient[Any](server.uri) as client:
        client.drop_database("retries")
    proxy = DroppingProxy(server.port, "insert", "find")
    with taps() as tape:
        recorded = program(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
    proxy.stop()
    asked = [each for each in tape.exchanges if each.signature.method in ("insert", "find")]
    assert [(each.signature.method, "lost" in each.result) for each in asked] == [
        ("insert", True),
        ("insert", False),
        ("find", True),
        ("find", False),
    ]
    began_s = time.monotonic()
    with replayed(tape) as replay:
        assert program(PRODUCTION) == recorded
    assert (replay.misses, len(replay.journal.of("take"))) == ([], 4)
    assert time.monotonic() - began_s < IN_TIME_S


def test_an_error_that_the_driver_does_not_retry_is_raised_again(server: MongoServer) -> None:
    proxy = DroppingProxy(server.port, "update")

    def program(uri: str) -> str:
        with MongoClient[Any](uri, retryWrites=False) as client, pytest.raises(AutoReconnect) as raised:
            client.retries.things.update_one({"_id": 9}, {"$set": {"x": 1}})
        return type(raised.value).__name__

    with taps() as tape:
        recorded = program(f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true")
    proxy.stop()
    with replayed(tape) as replay:
        assert program(PRODUCTION) == recorded
    assert replay.misses == []
