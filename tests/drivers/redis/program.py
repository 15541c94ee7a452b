"""An application: `python -m tests.drivers.redis.program URL`, in one trace all that it asks over RESP2 and RESP3, by
hiredis and by Python's parser, by the synchronous client and by that of asyncio.

Prints one line of JSON: what each call gave, or what it raised.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import sys
from typing import Any

import redis
import redis.asyncio
from opentelemetry import trace

from tests.drivers.redis import async_scenarios, sync_scenarios
from tests.drivers.redis.operations import STEPS

PARSERS = ("hiredis", "python")


def protocols() -> tuple[int, ...]:
    return (2, 3) if int(redis.__version__.split(".")[0]) >= 5 else (2,)


def options(protocol: int, parser: str, is_async: bool) -> dict[str, Any]:
    """Of a pool."""
    chosen: dict[str, Any] = {"protocol": protocol} if len(protocols()) > 1 else {}
    if parser == "python":
        chosen["parser_class"] = _python_parser(protocol, is_async)
    return chosen


def _python_parser(protocol: int, is_async: bool) -> Any:
    try:
        parsers = importlib.import_module("redis._parsers")
    except ImportError:  # 4.6
        return importlib.import_module(f"redis{'.asyncio' * is_async}.connection").PythonParser
    return getattr(parsers, f"{'_Async' * is_async or '_'}RESP{protocol}Parser")


def sync(url: str, chosen: dict[str, Any]) -> dict[str, str]:
    def other(**more: Any) -> Any:
        return redis.Redis(connection_pool=redis.ConnectionPool.from_url(url, **{**chosen, **more}))

    client = other()
    client.flushdb()
    saw: dict[str, str] = {}
    for name, step in STEPS.items():
        try:
            saw[name] = repr(step(client))
        except redis.exceptions.RedisError as error:
            saw[name] = f"{type(error).__name__}: {error}"
    for scenario in sync_scenarios.SCENARIOS:
        saw[scenario.__name__] = repr(scenario(client, other))
    client.connection_pool.disconnect()
    return saw


async def asynchronous(url: str, chosen: dict[str, Any]) -> dict[str, str]:
    def other(**more: Any) -> Any:
        pool = redis.asyncio.ConnectionPool.from_url(url, **{**chosen, **more})
        return redis.asyncio.Redis(connection_pool=pool)

    client = other()
    await client.flushdb()
    saw: dict[str, str] = {}
    for name, step in STEPS.items():
        try:
            saw[name] = repr(await step(client))
        except redis.exceptions.RedisError as error:
            saw[name] = f"{type(error).__name__}: {error}"
    for scenario in async_scenarios.SCENARIOS:
        saw[scenario.__name__] = repr(await scenario(client, other))
    await client.connection_pool.disconnect()
    return saw


def main(url: str) -> None:
    """Each in a database of its own: what is equal in two of them was asked at another time."""
    saw: dict[str, dict[str, str]] = {}
    with trace.get_tracer("tests").start_as_current_span("GET /everything"):
        for number, (protocol, parser) in enumerate(itertools.product(protocols(), PARSERS)):
            synced = options(protocol, parser, is_async=False)
            saw[f"sync RESP{protocol} {parser}"] = sync(url, {**synced, "db": 2 * number})
            awaited = options(protocol, parser, is_async=True)
            saw[f"async RESP{protocol} {parser}"] = asyncio.run(asynchronous(url, {**awaited, "db": 2 * number + 1}))
    print(json.dumps(saw))


if __name__ == "__main__":
    main(*sys.argv[1:])
