"""Cases of what must be right, for asyncpg: transactions that run at once with the same statements."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.drivers.asyncpg import scenarios

TASKS = 10


async def numbered(dsn: str) -> Any:
    """R34: ten transactions of ten tasks, all open at once, with the same statements and other answers."""
    shuffled = random.Random(os.environ.get("SEED", scenarios.PART))
    waits = [shuffled.random() / 20 for _ in range(3 * TASKS)]
    async with scenarios.connected(dsn) as connection:
        await connection.execute("drop table if exists drawn; drop sequence if exists draws")
        await connection.execute("create sequence draws start 100; create table drawn (id serial, number int)")
    async with asyncpg.create_pool(dsn, min_size=shuffled.choice((2, 4, 10)), max_size=10) as pool:
        drawing = Drawing()
        return sorted(await asyncio.gather(*(_draw(pool, iter(waits[at::TASKS]), drawing) for at in range(TASKS))))


class Drawing:
    """Lets the tasks go on when all of them are in a transaction."""

    def __init__(self) -> None:
        self._missing, self._all_are_in = TASKS, asyncio.Event()

    async def enter(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._all_are_in.set()
        await asyncio.wait_for(self._all_are_in.wait(), 30)


async def _draw(pool: Any, waits: Iterator[float], drawing: Drawing) -> Any:
    await asyncio.sleep(next(waits))
    async with pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval("select nextval('draws')")
        await drawing.enter()
        await asyncio.sleep(next(waits))
        drawn = await connection.fetchrow("insert into drawn (number) values ($1) returning id, number", number)
        await asyncio.sleep(next(waits))
        return number, tuple(drawn)
