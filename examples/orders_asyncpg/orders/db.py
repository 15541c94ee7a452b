"""The pool. `python -m orders.db` creates the tables and fills them."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import asyncpg

URL = os.environ.get("DATABASE_URL", "postgresql://shop@localhost:5432/shop")
SCHEMA = Path(__file__).with_name("schema.sql")


async def prepare(connection: Any) -> None:
    """Of each new connection: JSON comes as Python's values."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def make_pool() -> Any:
    return asyncpg.create_pool(URL, min_size=1, max_size=4, init=prepare)


async def create() -> None:
    connection = await asyncpg.connect(URL)
    await connection.execute(SCHEMA.read_text())
    await connection.close()


if __name__ == "__main__":
    asyncio.run(create())
