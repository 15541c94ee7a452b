"""A server for tests that keep it, and pymongo's spans in this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor

from tests.conftest import started
from tests.servers.mongo import MongoServer


@pytest.fixture(scope="session")
def server() -> Iterator[MongoServer]:
    """One for the whole run: never stop it, use a database of your own."""
    running = started(MongoServer)
    yield running
    running.stop()


@pytest.fixture
def spans() -> Iterator[None]:
    """Clients that are made from now on have the instrumentor's listener."""
    instrumentor = PymongoInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()
