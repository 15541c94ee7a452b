"""redis-py, GET of 10 bytes and a pipeline of 100: recorded over plain OpenTelemetry. Starts its own redis-server."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import TRACE, Case, Flush, Run, Setup, main, nothing
from providers import CONTESTANTS, provider

ROOT = Path(__file__).resolve().parent.parent
URL = "BENCH_REDIS"
BATCH = 100


def contestant(name: str, ask_of: Callable[[], Callable[[], Any]]) -> Setup:
    def setup() -> tuple[Run, Flush]:
        made = None if name == "plain" else provider(name)
        if made is not None:
            from opentelemetry.instrumentation.redis import RedisInstrumentor

            RedisInstrumentor().instrument()
        ask = ask_of()

        def run(count: int) -> None:
            if made is None:
                for _ in range(count):
                    ask()
                return
            tracer = made.get_tracer("benchmark")
            while count > 0:
                with tracer.start_as_current_span("request"):
                    for _ in range(min(count, TRACE)):
                        ask()
                count -= TRACE

        return run, nothing if made is None else made.force_flush

    return setup


def get() -> Callable[[], Any]:
    import redis

    client = redis.Redis.from_url(os.environ[URL])
    client.set("key", b"0123456789")
    return lambda: client.get("key")


def pipeline() -> Callable[[], Any]:
    import redis

    client = redis.Redis.from_url(os.environ[URL])
    client.set("key", b"0123456789")

    def ask() -> None:
        batch = client.pipeline(transaction=False)
        for _ in range(BATCH):
            batch.get("key")
        batch.execute()

    return ask


def get_async() -> Callable[[], Any]:
    import redis.asyncio

    loop = asyncio.new_event_loop()
    client = redis.asyncio.Redis.from_url(os.environ[URL])
    loop.run_until_complete(client.set("key", b"0123456789"))
    return lambda: loop.run_until_complete(client.get("key"))


CASES = {
    f"redis {name}": Case("otel", {n: contestant(n, ask) for n in CONTESTANTS}, {"recorded": goal}, by_cpu=True)
    for name, ask, goal in (("GET", get, 1.15), ("GET, asyncio", get_async, 1.15), ("pipeline of 100", pipeline, 1.15))
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    sys.path.insert(0, str(ROOT))
    from tests.servers.redis import RedisServer

    server = RedisServer()
    try:
        os.environ[URL] = server.url()
        main(CASES, __file__)
    finally:
        server.stop()
