"""gevent under load: every greenlet comes to its end, and everything that it did is recorded in its own trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.promises.serving import requests, serving, until
from tests.promises.test_servers import assert_whole
from tests.servers.postgres import PostgresServer

pytest.importorskip("gevent")
pytestmark = pytest.mark.postgres

PATCHED = "OTEL_TRACES_EXPORTER=timetracer OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all"
COMMAND = f"{PATCHED} opentelemetry-instrument python -m shop.green 8000"
REQUESTS = 300
AT_A_TIME = 40


def test_a_wsgi_server_of_greenlets_under_load_loses_nothing_and_none_is_stuck(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with serving(COMMAND, tmp_path, SHOP_DSN=postgres.dsn) as server:
        with ThreadPoolExecutor(AT_A_TIME) as clients:
            processes = set(clients.map(server.get, range(REQUESTS)))
        until(lambda: server.get(0, "greenlets") == 0, "greenlets that are stuck")
        server.stop()
    assert (len(processes), server.process.returncode) == (1, 0), server.log
    assert "failed (" not in server.log
    found = requests(server.store)
    assert [number for number, _ in found] == list(range(REQUESTS))
    for number, segment in found:
        assert_whole(number, segment)
