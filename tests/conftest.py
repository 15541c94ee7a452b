"""What every test may ask for.

A server that cannot run here skips with its reason; TIMETRACER_REQUIRE_SERVERS=1 makes that a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import settings

from tests.demonstration import Demonstration, run_demo
from tests.servers.jaeger import JaegerServer
from tests.servers.mongo import MongoServer
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer
from timetracer_otel.capture import guard

# How long an example takes depends on who else is at work; what a change did not break does not fail it by chance.
settings.register_profile("timetracer", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("timetracer-long", deadline=None, max_examples=300)


Server = TypeVar("Server")


@pytest.fixture(autouse=True)
def _no_failures_of_other_tests() -> None:
    """They are counted for the process, and the next part of a segment says them."""
    guard.failures.clear()


def start_postgres() -> PostgresServer:
    """A server of the caller's own. Skips or fails when none can run on this machine."""
    return started(PostgresServer)


def started(kind: Callable[[], Server]) -> Server:
    """A server of this kind. Skips or fails when none can run on this machine."""
    try:
        return kind()
    except Exception as error:  # noqa: BLE001  whatever keeps a third party's server from starting is the reason to skip
        reason = f"no {kind.__name__} here: {type(error).__name__}: {error}"
        if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One for the whole run: never stop it, drop what you make."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture
def stoppable_postgres() -> Iterator[PostgresServer]:
    """One for a single test, to be stopped in it."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture
def mongo() -> Iterator[MongoServer]:
    """One for a single test, to be stopped in it."""
    server = started(MongoServer)
    yield server
    server.stop()


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """One for a single test, to be stopped in it."""
    server = started(RedisServer)
    yield server
    server.stop()


@pytest.fixture
def rabbitmq() -> Iterator[RabbitServer]:
    """One for a single test, to be stopped in it; it takes some seconds to start."""
    server = started(RabbitServer)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def jaeger() -> Iterator[JaegerServer]:
    """One for the whole run: never stop it."""
    server = started(JaegerServer)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def demo(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    """What `scripts/demo` leaves behind. It starts its own PostgreSQL; `postgres` skips where none can run."""
    return run_demo(tmp_path_factory.mktemp("demo") / "shop")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="tests marked `long` count to the end, not to a tenth of it")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("timetracer-long" if config.getoption("--long") else "timetracer")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """How often a test marked `long` does what it repeats: all of it with `--long`, else a tenth."""
    assert request.node.get_closest_marker("long"), "a test that asks for `rounds` carries the marker `long`"
    is_long = request.config.getoption("--long")
    return lambda count: count if is_long else max(1, count // 10)
