"""pymongo, one document by _id and 1000 documents: recorded over plain OpenTelemetry; and find_one replayed over the
test server. Starts its own server, SecantusDB. The peer is timetracer, which keeps no document of the 1000.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import replays
from harness import Case, Contestant, Setup, main
from opentelemetry import trace
from providers import CONTESTANTS, plain, provider, traced

ROOT = Path(__file__).resolve().parent.parent
URI = "BENCH_MONGO"
COUNT = 1000
RECORDED = 10_000
"""Commands that a replay can answer: each of them once."""


def asking(documents: int) -> Callable[[], object]:
    from pymongo import MongoClient

    items = MongoClient[Any](os.environ[URI]).bench.items
    if documents == 1:
        return lambda: items.find_one({"_id": 1})
    return lambda: list(items.find(batch_size=2 * COUNT))


def instrument() -> None:
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

    PymongoInstrumentor().instrument()


def contestant(documents: int, name: str) -> Setup:
    def setup() -> Contestant:
        if name == "plain":
            return Contestant(plain(asking(documents)))
        if name == "timetracer":
            from timetracer.plugins import enable_pymongo

            enable_pymongo()
            return Contestant(peers.timetracer(asking(documents)))
        made = provider(name)
        instrument()
        return Contestant(*traced(made, asking(documents)))

    return setup


def replaying(name: str) -> Setup:
    def setup() -> Contestant:
        if name == "replayed":
            replays.begin([__file__, "--record"])
        else:
            provider("otel")
        instrument()
        return Contestant(replays.in_requests(plain(asking(1))))

    return setup


def record(store: str) -> None:
    """One trace of all commands that a replay will be asked for."""
    replays.record_into(store)
    instrument()
    with trace.get_tracer("benchmark").start_as_current_span("recorded"):
        plain(asking(1))(RECORDED)


def prepare(uri: str) -> None:
    """Makes the collection, and tells the workers where it is."""
    from pymongo import MongoClient

    os.environ[URI] = uri
    with MongoClient[Any](uri) as client:
        client.bench.items.insert_many(
            [
                {"_id": number, "name": f"name{number}", "amount": number * 1.25, "note": "x" * 90}
                for number in range(COUNT)
            ]
        )


NAMES = (*CONTESTANTS, *peers.available("timetracer"))
CASES = {
    f"pymongo {documents} documents": Case("otel", {n: contestant(documents, n) for n in NAMES}, {"recorded": goal})
    for documents, goal in ((1, 1.15), (COUNT, 1.25))
}
CASES["replay of pymongo find_one"] = Case(
    "server", {name: replaying(name) for name in ("server", "replayed")}, {"replayed": 0.5}, most=RECORDED
)

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    if "--record" in sys.argv:
        record(sys.argv[2])
        sys.exit()
    sys.path.insert(0, str(ROOT))
    from tests.servers.mongo import MongoServer

    server = MongoServer()
    try:
        prepare(server.uri)
        main(CASES, __file__)
    finally:
        server.stop()
