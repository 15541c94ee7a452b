"""The pool. `python -m notes.db` creates the table and fills it."""

import asyncio
import os
from typing import Any

import asyncpg

URL = os.environ.get("DATABASE_URL", "postgresql://notes@localhost:5432/notes")
TABLE = "CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, room text, text text, author text)"
NOTES = [("kitchen", "buy tea", "ming"), ("kitchen", "wash the mugs", None), ("garden", "water the roses", "ada")]


def make_pool() -> Any:
    return asyncpg.create_pool(URL, min_size=1, max_size=4)


async def create() -> None:
    connection = await asyncpg.connect(URL)
    await connection.execute(TABLE)
    await connection.executemany("INSERT INTO notes (room, text, author) VALUES ($1, $2, $3)", NOTES)
    await connection.close()


if __name__ == "__main__":
    asyncio.run(create())
