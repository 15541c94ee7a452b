"""An application with secrets: `python -m tests.drivers.pymongo.secretive HOST:PORT`, the secret in PASSWORD."""

from __future__ import annotations

import os
import sys
from typing import Any

from opentelemetry import trace
from pymongo import MongoClient


def main(address: str) -> None:
    secret = os.environ["PASSWORD"]
    with MongoClient[Any](f"mongodb://{address}") as admin:
        admin.admin.command("createUser", "ada", pwd=secret, roles=["root"])
    with (
        trace.get_tracer("tests").start_as_current_span("GET /secret"),
        MongoClient[Any](f"mongodb://ada:{secret}@{address}/?authSource=admin") as client,
    ):
        client.app.people.insert_one({"_id": 1, "password": secret, "nested": [{"token": secret}]})
        client.app.people.find_one({"password": secret})
        client.app.command("createUser", "eve", pwd=secret, roles=[])
        client.app.command("updateUser", "eve", pwd=secret + "2")
    print("{}")


if __name__ == "__main__":
    main(*sys.argv[1:])
