"""A server for tests that keep it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import started
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """One for the whole run: never stop it, and empty it before you look at it."""
    running = started(RedisServer)
    yield running
    running.stop()
