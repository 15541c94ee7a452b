"""pymongo's own tests, as far as they run on SecantusDB in short time: of both halves, of which one is made from the
other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.mongo import MongoServer
from tests.suites.suite import Suite

PARTS = (
    "collation",
    "comment",
    "custom_types",
    "database",
    "grid_file",
    "gridfs",
    "gridfs_bucket",
    "monitoring",
    "raw_bson",
    "session",
)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Mapping[str, str]]:
    """DB_IP and DB_PORT are what the tests read."""
    running = MongoServer()
    try:
        yield {"DB_IP": "127.0.0.1", "DB_PORT": str(running.port)}
    finally:
        running.stop()


SUITE = Suite(
    distribution="pymongo",
    tests="test",
    files=tuple(f"test/{half}test_{part}.py" for half in ("", "asynchronous/") for part in PARTS),
    requirements=("pytest-asyncio",),
    timeout_s=3600,
    servers=server,
)
