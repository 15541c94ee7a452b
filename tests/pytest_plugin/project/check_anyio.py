"""By anyio's own plugin, whose event loop outlives a test."""

from __future__ import annotations

import os

import asyncpg
import pytest

pytestmark = [pytest.mark.timetracer, pytest.mark.anyio]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("number", [1, 2])
async def test_asyncpg_by_anyio(number: int) -> None:
    connection = await asyncpg.connect(os.environ["DSN"])
    try:
        assert await connection.fetchval("select $1::int + 1", number) == number + 1
    finally:
        await connection.close()
