"""An application whose Redis is several servers: `python -m tests.drivers.redis.topologies CLUSTER_PORT SENTINEL_PORT`.

Prints one line of JSON: what each call gave.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import redis
import redis.asyncio
import redis.sentinel
from opentelemetry import trace

KEYS = [f"k{number}" for number in range(6)]
PATIENT = {"socket_timeout": 5.0}


def cluster(port: int) -> list[str]:
    client: Any = redis.RedisCluster(host="127.0.0.1", port=port)
    saw = [client.set(key, key) for key in KEYS] + [client.get(key) for key in KEYS]
    saw.append(sorted(client.mget_nonatomic("k1", "k2", "k3")))
    batch = client.pipeline()
    for key in KEYS:
        batch.append(key, "!")
    saw.append(batch.execute())
    client.close()
    alone: Any = redis.Redis(port=port)  # sees but its own half
    for key in KEYS:
        try:
            saw.append(alone.get(key))
        except redis.ResponseError as error:
            saw.append(type(error).__name__)
    alone.close()
    return list(map(repr, saw))


async def cluster_async(port: int) -> list[str]:
    async with redis.asyncio.RedisCluster(host="127.0.0.1", port=port) as client:
        batch: Any = client.pipeline()
        for key in KEYS:
            batch.strlen(key)
        return list(map(repr, [await client.get("k3"), await batch.execute()]))


def sentinel(port: int) -> list[str]:
    made: Any = redis.sentinel.Sentinel
    primary = made([("127.0.0.1", port)], **PATIENT).master_for("mymaster", **PATIENT)
    return list(map(repr, [primary.set("a", 1), primary.get("a"), primary.pipeline().incr("a").execute()]))


async def sentinel_async(port: int) -> list[str]:
    made: Any = redis.asyncio.Sentinel
    found = made([("127.0.0.1", port)], **PATIENT)
    primary = found.master_for("mymaster", **PATIENT)
    saw = list(map(repr, [await primary.incr("a"), await primary.get("a")]))
    await primary.connection_pool.disconnect()
    for each in found.sentinels:
        await each.connection_pool.disconnect()
    return saw


def main(cluster_port: str, sentinel_port: str) -> None:
    with trace.get_tracer("tests").start_as_current_span("GET /topologies"):
        saw = [cluster(int(cluster_port)), sentinel(int(sentinel_port))]
        saw.append(asyncio.run(cluster_async(int(cluster_port))))
        saw.append(asyncio.run(sentinel_async(int(sentinel_port))))
    print(json.dumps(saw))


if __name__ == "__main__":
    main(*sys.argv[1:])
