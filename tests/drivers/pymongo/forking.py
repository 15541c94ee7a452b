"""A prefork server: `python -m tests.drivers.pymongo.forking URI`. Its client is made before its workers are, and each
worker asks with it in a request of its own.

Prints one line of JSON: what the parent saw before and after, and what its workers saw.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any

from opentelemetry import trace
from pymongo import MongoClient

WORKERS = 2


def main(uri: str) -> None:
    warnings.simplefilter("ignore")  # pymongo and Python warn of forks in processes with threads
    saw: dict[str, Any] = {}
    with trace.get_tracer("tests").start_as_current_span("GET /prefork"), MongoClient[Any](uri) as client:
        pages = client.app.pages
        pages.insert_many([{"_id": number, "text": f"page {number}"} for number in range(WORKERS)])
        saw["before"] = repr(pages.find_one({"_id": 0}))
        saw["workers"] = [worker(client, number) for number in range(WORKERS)]
        saw["after"] = repr(list(pages.find().sort("_id", 1)))
    print(json.dumps(saw))


def worker(client: MongoClient[Any], number: int) -> str:
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        os.write(sending, work(client, number).encode())
        os.close(sending)
        provider: Any = trace.get_tracer_provider()
        provider.force_flush()
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def work(client: MongoClient[Any], number: int) -> str:
    try:
        with trace.get_tracer("tests").start_as_current_span(f"worker {number}"):
            found = client.app.pages.find_one_and_update({"_id": number}, {"$set": {"by": number}})
            made = client.app.visits.insert_one({"page": number}).inserted_id
            return repr([found, client.app.visits.find_one({"_id": made}, {"_id": 0})])
    except Exception as error:  # noqa: BLE001  the other run must raise it, too
        return repr(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
