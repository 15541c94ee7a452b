"""kombu's own tests: its units, and what it sends through a real Redis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.redis import RedisServer
from tests.suites.suite import Suite

NEEDS_MORE = "does not load without the libraries of a cloud that we do not listen to"


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Mapping[str, str]]:
    """The names are those that the tests read."""
    running = RedisServer()
    try:
        yield {"REDIS_HOST": "127.0.0.1", "REDIS_6379_TCP": str(running.port)}
    finally:
        running.stop()


SUITE = Suite(
    distribution="kombu",
    tests="t",
    files=("t/unit", "t/integration/test_redis.py", "t/integration/test_redis_brpop_qos.py"),
    requirements=("brotli", "pytest-freezer"),
    ignored={
        "t/unit/transport/test_azurestoragequeues.py": NEEDS_MORE,
        "t/unit/transport/test_gcpubsub.py": NEEDS_MORE,
    },
    options=("-o", "python_classes=test_*"),
    servers=server,
    timeout_s=1800,
)
