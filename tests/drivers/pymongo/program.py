"""An application: `python -m tests.drivers.pymongo.program sync|special|async|motor URI`, every scenario in one trace.

Prints one line of JSON: what each scenario saw, or what it raised.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import Any

from opentelemetry import trace
from pymongo import AsyncMongoClient, MongoClient

from tests.drivers.pymongo import async_scenarios, scenarios, special_scenarios

SYNC = {"sync": scenarios.SCENARIOS, "special": special_scenarios.SCENARIOS}


def sync(uri: str, chosen: Any) -> dict[str, Any]:
    with MongoClient[Any](uri) as client:
        return {each.__name__: _saw(each, client) for each in chosen}


def _saw(scenario: Any, client: Any) -> Any:
    try:
        return scenario(client)
    except Exception:  # noqa: BLE001  whatever it is, the other run must raise it, too
        return traceback.format_exc()


async def asynchronous(client: Any) -> dict[str, Any]:
    saw: dict[str, Any] = {}
    for each in async_scenarios.SCENARIOS:
        try:
            saw[each.__name__] = await each(client)
        except Exception:  # noqa: BLE001  as above
            saw[each.__name__] = traceback.format_exc()
    return saw


async def by_pymongo(uri: str) -> dict[str, Any]:
    async with AsyncMongoClient[Any](uri) as client:
        return await asynchronous(client)


async def by_motor(uri: str) -> dict[str, Any]:
    from motor.motor_asyncio import AsyncIOMotorClient

    client: Any = AsyncIOMotorClient(uri)
    try:
        return await asynchronous(client)
    finally:
        client.close()


def main(kind: str, uri: str) -> None:
    with trace.get_tracer("tests").start_as_current_span(f"GET /{kind}"):
        if kind in SYNC:
            saw = sync(uri, SYNC[kind])
        else:
            saw = asyncio.run(by_pymongo(uri) if kind == "async" else by_motor(uri))
    print(json.dumps(saw))


if __name__ == "__main__":
    main(*sys.argv[1:])
