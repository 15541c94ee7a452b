"""Celery's own integration tests: tasks that a real worker runs through a real Redis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.redis import RedisServer
from tests.suites.libraries.celery import OPTIONS, REQUIREMENTS
from tests.suites.suite import Suite

PARTS = ("redis_backend", "group_chains", "tasks", "canvas")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Mapping[str, str]]:
    """The names are those that the tests read."""
    running = RedisServer()
    try:
        yield {
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(running.port),
            "TEST_BROKER": running.url(0),
            "TEST_BACKEND": running.url(1),
        }
    finally:
        running.stop()


SUITE = Suite(
    distribution="celery",
    tests="t",
    files=tuple(f"t/integration/test_{part}.py" for part in PARTS),
    requirements=REQUIREMENTS,
    options=OPTIONS,
    servers=server,
    timeout_s=3600,
)
