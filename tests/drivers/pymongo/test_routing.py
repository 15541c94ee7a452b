"""Connections are shared by requests: each command belongs to whom it is sent for, recorded and in replay."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.threading import ThreadingInstrumentor
from pymongo import AsyncMongoClient, MongoClient

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.pymongo.taping import PRODUCTION, replayed, taps
from tests.drivers.taping import ListTape
from tests.drivers.traced import PROVIDER, traced
from tests.servers.mongo import MongoServer
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.pymongo.replay import REPLAYING

pytestmark = pytest.mark.usefixtures("spans")
REQUESTS = 60


async def request(client: Any, number: int) -> list[Any]:
    """Its own document, and a counter that all share: the same command, another answer for each."""
    own = await client.routing.things.find_one({"_id": number})
    ticket = await client.routing.tickets.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}})
    return [own, ticket]


async def all_at_once(uri: str, entering: Any) -> list[Any]:
    async with AsyncMongoClient[Any](uri, maxPoolSize=2) as client:

        async def one(number: int) -> list[Any]:
            with entering(str(number)):
                return await request(client, number)

        return list(await asyncio.gather(*map(one, range(REQUESTS))))


def by_request(tape: ListTape) -> dict[str, list[Exchange]]:
    """The exchanges of each request, which its span holds."""
    spans: dict[int | None, list[Exchange]] = {}
    for captured, exchange in zip(tape.captured, tape.exchanges, strict=True):
        if exchange.signature.method in ("find", "findAndModify"):
            spans.setdefault(captured.span_id, []).append(exchange)
    found = {}
    for exchanges in spans.values():
        (number,) = {n for n in range(REQUESTS) for e in exchanges if f'"_id": {n}}}'.encode() in _text(e)}
        found[str(number)] = [replace(each, id=f"{number}-{at}") for at, each in enumerate(exchanges)]
    return found


def _text(exchange: Exchange) -> bytes:
    from timetracer_otel.drivers.pymongo.describe import DESCRIBING

    if exchange.signature.method != "find":
        return b""
    command = str(DESCRIBING.readable(exchange).request["command"])
    return command.replace('{"$numberInt": "', "").replace('"}', "").encode()


def test_r34_sixty_requests_over_a_pool_of_two_never_cross(server: MongoServer) -> None:
    with MongoClient[Any](server.uri) as client:
        client.drop_database("routing")
        client.routing.things.insert_many([{"_id": number, "own": f"of {number}"} for number in range(REQUESTS)])
        client.routing.tickets.insert_one({"_id": 1, "n": 0})
    tracer = PROVIDER.get_tracer("tests")
    with taps() as tape:
        recorded = asyncio.run(all_at_once(server.uri, tracer.start_as_current_span))
    assert [own["own"] for own, _ in recorded] == [f"of {number}" for number in range(REQUESTS)]
    cassettes = by_request(tape)
    assert sorted(map(int, cassettes)) == list(range(REQUESTS))
    assert {tuple(each.signature.method for each in one) for one in cassettes.values()} == {("find", "findAndModify")}
    with replaying(cassettes, tape.connections, REPLAYING) as replay:
        assert asyncio.run(all_at_once(PRODUCTION, lambda name: traced(replay, name))) == recorded
        assert replay.misses == []
    with replaying(cassettes, tape.connections, REPLAYING) as replay:
        assert _in_threads(replay) == recorded
        assert replay.misses == []


def _in_threads(replay: Replayed) -> list[Any]:
    ThreadingInstrumentor().instrument()
    try:
        with MongoClient[Any](PRODUCTION, maxPoolSize=2) as client, ThreadPoolExecutor(16) as pool:

            def one(number: int) -> list[Any]:
                with traced(replay, str(number)):
                    assert trace.get_current_span().is_recording()
                    own = client.routing.things.find_one({"_id": number})
                    return [own, client.routing.tickets.find_one_and_update({"_id": 1}, {"$inc": {"n": 1}})]

            return list(pool.map(one, range(REQUESTS)))
    finally:
        ThreadingInstrumentor().uninstrument()


async def two_transactions(uri: str, order: tuple[int, int]) -> list[Any]:
    """Side by side in one request: what each reads depends on what it wrote before."""
    async with AsyncMongoClient[Any](uri) as client:
        pages = client.routing.pages
        sessions = [client.start_session(), client.start_session()]
        for number, session in enumerate(sessions):
            await session.start_transaction()
            await pages.update_one({"_id": number}, {"$set": {"by": number}}, session=session)
        saw = {
            number: await pages.find({"by": {"$exists": True}}, session=sessions[number]).to_list() for number in order
        }
        for session in sessions:
            await session.abort_transaction()
            await session.end_session()
        return [saw[0], saw[1]]


def test_equal_commands_of_two_transactions_get_each_its_own_answer(server: MongoServer) -> None:
    with MongoClient[Any](server.uri) as client:
        client.routing.pages.delete_many({})
        client.routing.pages.insert_many([{"_id": 0}, {"_id": 1}])
    with taps() as tape:
        recorded = asyncio.run(two_transactions(server.uri, (0, 1)))
    assert recorded == [[{"_id": 0, "by": 0}], [{"_id": 1, "by": 1}]]
    assert len({each.transaction for each in tape.exchanges} - {None}) == 2
    with replayed(tape) as replay:
        assert asyncio.run(two_transactions(PRODUCTION, (1, 0))) == recorded
    assert replay.misses == []
