"""What only SQLAlchemy's asyncio side can do: each takes an async engine and gives what it saw."""

from __future__ import annotations

import asyncio
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import selectinload
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession as AsyncModelSession

from tests.drivers.sqlalchemy.engines import async_engine
from tests.drivers.sqlalchemy.models import Author, Hero
from tests.drivers.sqlalchemy.scenarios import columns


async def sessions(engine: AsyncEngine) -> Any:
    """Sessions of a sessionmaker, savepoints, relationships, streams of rows and of objects."""
    given: list[Any] = []
    make = async_sessionmaker(engine, expire_on_commit=False)
    async with make.begin() as session:
        session.add(Author(label="awaited", mood=None))
    async with make() as session:
        wanted = sa.select(Author).where(Author.label.in_(["awaited", "orm"])).options(selectinload(Author.books))
        given += [(author.label, len(author.books)) for author in await session.scalars(wanted.order_by(Author.id))]
        try:
            async with session.begin_nested():
                session.add(Author(label="awaited", mood=None))
        except sa.exc.IntegrityError as error:
            given.append(type(error).__name__)
        stream = await session.stream_scalars(sa.select(Author).order_by(Author.id).limit(10))
        given.append([author.id async for author in stream])
    async with engine.connect() as connection:
        result = await connection.stream(sa.select(Author.id).order_by(Author.id), execution_options={"yield_per": 700})
        given.append([len(page) async for page in result.partitions()])
    return given


async def gathered(engine: AsyncEngine) -> Any:
    """Sessions side by side, each with its own connection."""

    async def one(number: int) -> Any:
        async with AsyncSession(engine) as session:
            return (await session.execute(sa.text("select :n * 2, now() is not null"), {"n": number})).all()

    return await asyncio.gather(*(one(number) for number in range(6)))


async def models(engine: AsyncEngine) -> Any:
    """SQLModel's own async session."""
    async with AsyncModelSession(engine) as session:
        session.add(Hero(label="awaited"))
        await session.commit()
        found = (await session.exec(select(Hero).where(Hero.label == "awaited"))).all()
        return [columns(hero) for hero in found]


async def pools(dsn: str, driver: str) -> Any:
    """Pools of other kinds."""
    given: list[Any] = []
    for options in ({"pool_pre_ping": True, "pool_size": 1}, {"poolclass": sa.pool.NullPool}):
        other = async_engine(dsn, driver, **options)
        for number in range(3):
            async with other.connect() as connection:
                given.append(await connection.scalar(sa.text("select :a + 1"), {"a": number}))
        await other.dispose()
    return given


SCENARIOS = (sessions, gathered, models)
