"""A pool makes a connection: what it asks then is known as such."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg_pool
import pytest

from tests.servers.postgres import PostgresServer
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.postgres import making


class Driver:
    is_led = False


@pytest.fixture(autouse=True)
def followed() -> Iterator[None]:
    patches = Patches()
    patches.put(Driver, "is_led", True)  # pools are followed as long as a driver is led to a stub
    making.put_in(patches)
    yield
    patches.undo()


@pytest.mark.parametrize("pool", [psycopg_pool.ConnectionPool, psycopg_pool.NullConnectionPool])
def test_a_pool_of_psycopg_says_when_it_makes_a_connection(postgres: PostgresServer, pool: Any) -> None:
    seen: list[bool] = []
    with (
        pool(postgres.dsn, min_size=0, max_size=1, configure=lambda _: seen.append(making.is_making.get())) as made,
        made.connection(),
    ):
        seen.append(making.is_making.get())
    assert seen == [True, False]


@pytest.mark.parametrize("pool", [psycopg_pool.AsyncConnectionPool, psycopg_pool.AsyncNullConnectionPool])
def test_one_of_asyncio_says_so_too(postgres: PostgresServer, pool: Any) -> None:
    seen: list[bool] = []

    async def configure(_: object) -> None:
        seen.append(making.is_making.get())

    async def work() -> None:
        async with (
            pool(postgres.dsn, min_size=0, max_size=1, configure=configure, open=False) as made,
            made.connection(),
        ):
            seen.append(making.is_making.get())

    asyncio.run(work())
    assert seen == [True, False]
