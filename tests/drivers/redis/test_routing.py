"""Connections are shared by requests: each command belongs to whom it is sent for, recorded and in replay."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import redis
import redis.asyncio
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from tests.drivers.psycopg.replaying import Replayed, replaying
from tests.drivers.redis.taping import PRODUCTION, taps
from tests.drivers.taping import ListTape
from tests.drivers.traced import PROVIDER, traced
from tests.servers.redis import RedisServer
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.redis.replay import REPLAYING

REQUESTS = 40


async def all_at_once(url: str, entering: Any) -> list[Any]:
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=2)
    client: Any = redis.asyncio.Redis(connection_pool=pool)

    async def one(number: int) -> list[Any]:
        """Its own key, and a counter that all share: the same command, another answer for each."""
        with entering(str(number)):
            own, ticket = await client.pipeline(transaction=False).get(f"own:{number}").incr("ticket").execute()
            return [own, ticket, await client.incr("ticket")]

    try:
        return list(await asyncio.gather(*map(one, range(REQUESTS))))
    finally:
        await pool.disconnect()


def by_request(tape: ListTape) -> dict[str, list[Exchange]]:
    """The exchanges of each request, which its span holds."""
    spans: dict[int | None, list[Exchange]] = {}
    for captured, exchange in zip(tape.captured, tape.exchanges, strict=True):
        spans.setdefault(captured.span_id, []).append(exchange)
    found = {}
    for exchanges in spans.values():
        (number,) = {n for n in range(REQUESTS) if f"own:{n}\r\n" in str(exchanges[0].request["commands"], "utf-8")}  # type: ignore[arg-type]
        found[str(number)] = [replace(each, id=f"{number}-{at}") for at, each in enumerate(exchanges)]
    return found


def test_r34_forty_requests_over_a_pool_of_two_never_cross(server: RedisServer) -> None:
    server.command("FLUSHALL")
    for number in range(REQUESTS):
        server.command("SET", f"own:{number}", f"of {number}")
    tracer = PROVIDER.get_tracer("tests")
    with taps() as tape:
        recorded = asyncio.run(all_at_once(server.url(), tracer.start_as_current_span))
    assert [own for own, *_ in recorded] == [f"of {number}".encode() for number in range(REQUESTS)]
    assert sorted(ticket for _, *tickets in recorded for ticket in tickets) == list(range(1, 2 * REQUESTS + 1))
    cassettes = by_request(tape)
    assert sorted(map(int, cassettes)) == list(range(REQUESTS))
    with replaying(cassettes, tape.connections, REPLAYING) as replay:
        assert asyncio.run(all_at_once(PRODUCTION, lambda name: traced(replay, name))) == recorded
        assert replay.misses == []
    with replaying(cassettes, tape.connections, REPLAYING) as replay:
        assert _in_threads(replay) == recorded
        assert replay.misses == []


def _in_threads(replay: Replayed) -> list[Any]:
    ThreadingInstrumentor().instrument()
    pool = redis.BlockingConnectionPool.from_url(PRODUCTION, max_connections=2)
    client: Any = redis.Redis(connection_pool=pool)

    def one(number: int) -> list[Any]:
        with traced(replay, str(number)):
            own, ticket = client.pipeline(transaction=False).get(f"own:{number}").incr("ticket").execute()
            return [own, ticket, client.incr("ticket")]

    try:
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(one, range(REQUESTS)))
    finally:
        pool.disconnect()
        ThreadingInstrumentor().uninstrument()
