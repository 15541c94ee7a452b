"""Celery's own tests: its units, and tasks that a real worker runs through a real Redis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.redis import RedisServer
from tests.suites.suite import Suite

PARTS = ("redis_backend", "group_chains", "tasks")
HIDES_THE_PROCESS = (
    "puts a mock in place of os.getpid: OpenTelemetry's BatchSpanProcessor, of any exporter, takes that for a fork and "
    "starts its thread once more, of which all tests after it complain"
)
NEEDS_MORE = "does not load without the libraries of a cloud that we do not listen to"


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
    files=("t/unit", *(f"t/integration/test_{part}.py" for part in PARTS)),
    requirements=("fakeredis[lua]", "pytest-click", "pytest-freezer", "pytest-order", "tblib"),
    ignored={
        "t/unit/backends/test_azureblockblob.py": NEEDS_MORE,
        "t/unit/backends/test_gcs.py": NEEDS_MORE,
        "t/unit/utils/test_debug.py::test_ps": HIDES_THE_PROCESS,
    },
    options=("-o", "python_classes=test_*", "-p", "celery.contrib.pytest"),
    servers=server,
    timeout_s=3600,
)
