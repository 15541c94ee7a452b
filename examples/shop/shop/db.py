"""The connection pool. `python -m shop.db` creates the tables and fills them."""

import asyncio
import hashlib
import os
from pathlib import Path

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

URL = os.environ.get("DATABASE_URL", "postgresql://shop@localhost:5432/shop")
SCHEMA = Path(__file__).with_name("schema.sql")

Connection = AsyncConnection[DictRow]

pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
    URL,
    connection_class=Connection,
    kwargs={"autocommit": True, "row_factory": dict_row},
    min_size=2,
    max_size=8,
    open=False,
)


def digest(email: str, password: str) -> str:
    """What the column `customers.password` holds: nobody can read the password from it."""
    return hashlib.scrypt(password.encode(), salt=email.encode(), n=2**14, r=8, p=1, dklen=32).hex()


async def create() -> None:
    async with await AsyncConnection.connect(URL) as connection:
        await connection.execute(SCHEMA.read_text())


if __name__ == "__main__":
    asyncio.run(create())
