"""Servers that clients talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import started
from tests.servers.http import HttpServer


@pytest.fixture(scope="module")
def http_server() -> Iterator[HttpServer]:
    """One for the tests of a file, to be stopped in them. Skips or fails when it cannot run on this machine."""
    server = started(HttpServer)
    yield server
    server.clean()
