"""Engines for the servers of the tests, by the name of the driver below: psycopg, psycopg_async or asyncpg."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def engine(dsn: str, **options: Any) -> sa.Engine:
    return sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"), **options)


def async_engine(dsn: str, driver: str, **options: Any) -> AsyncEngine:
    if driver != "asyncpg":
        return create_async_engine(dsn.replace("postgresql://", f"postgresql+{driver}://"), **options)

    async def connect() -> Any:
        import asyncpg

        return await asyncpg.connect(dsn)  # SQLAlchemy does not know what a DSN may say of TLS

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)
