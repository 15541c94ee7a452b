"""pymongo, one document by _id and 1000 documents: recorded over plain OpenTelemetry; and find_one replayed over the
test server. Starts its own server, SecantusDB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from harness import TRACE, Case, Flush, Run, Setup, main, nothing
from providers import provider

ROOT = Path(__file__).resolve().parent.parent
URI = "BENCH_MONGO"
COUNT = 1000


def contestant(documents: int, name: str) -> Setup:
    def setup() -> tuple[Run, Flush]:
        made = None if name == "plain" else provider(name)
        if made is not None:
            from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

            PymongoInstrumentor().instrument()
        from pymongo import MongoClient

        items = MongoClient[Any](os.environ[URI]).bench.items

        def ask() -> None:
            if documents == 1:
                items.find_one({"_id": 1})
            else:
                list(items.find(batch_size=2 * COUNT))

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


CASES = {
    f"pymongo {documents} documents": Case(
        "otel", {n: contestant(documents, n) for n in ("plain", "otel", "recorded")}, {"recorded": goal}
    )
    for documents, goal in ((1, 1.15), (COUNT, 1.25))
}

if __name__ == "__main__":
    if "--worker" in sys.argv:
        main(CASES, __file__)
    sys.path.insert(0, str(ROOT))
    from tests.servers.mongo import MongoServer

    server = MongoServer()
    try:
        prepare(server.uri)
        main(CASES, __file__)
    finally:
        server.stop()
