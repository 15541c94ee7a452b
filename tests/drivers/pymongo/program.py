"""An application: `python -m tests.drivers.pymongo.program sync|special|async|motor|all URI`, scenarios in one trace.

Prints one line of JSON: what each scenario saw, or what it raised; and which commands pymongo said it would send.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from typing import Any

import pymongo
from opentelemetry import trace
from pymongo import AsyncMongoClient, MongoClient, monitoring

from tests.drivers.pymongo import async_scenarios, async_special_scenarios, scenarios, special_scenarios
from timetracer_otel.drivers.pymongo.housework import BY_ITSELF

SYNC = {"sync": scenarios.SCENARIOS, "special": special_scenarios.SCENARIOS}
ASYNC = (*async_scenarios.SCENARIOS, *async_special_scenarios.SCENARIOS)


class Commands(monitoring.CommandListener):
    """Names of those that are sent, without what the driver does by itself."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: Any) -> None:
        is_sent = event.request_id != 0  # a further batch of an exhaust cursor comes unasked
        if is_sent and event.command_name not in BY_ITSELF:
            self.names.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        """What is sent counts."""

    failed = succeeded


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
    for each in ASYNC:
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
    commands = Commands()
    monitoring.register(commands)
    with trace.get_tracer("tests").start_as_current_span(f"GET /{kind}"):
        saw = every(uri) if kind == "all" else one(kind, uri)
    print(json.dumps({**saw, "commands": sorted(commands.names), "version": pymongo.version}))


def one(kind: str, uri: str) -> dict[str, Any]:
    if kind in SYNC:
        return sync(uri, SYNC[kind])
    return asyncio.run(by_pymongo(uri) if kind == "async" else by_motor(uri))


def every(uri: str) -> dict[str, Any]:
    """What pymongo has, in turn on an empty database."""
    saw: dict[str, Any] = {}
    for kind in ("sync", "special", "async"):
        saw[kind] = one(kind, uri)
        with MongoClient[Any](uri) as client:
            client.drop_database("app")
    return saw


if __name__ == "__main__":
    main(*sys.argv[1:])
