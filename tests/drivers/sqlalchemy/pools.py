"""What an application does with SQLAlchemy's pools: each makes its own engines."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tests.drivers.sqlalchemy.engines import engine


def pre_ping(dsn: str) -> Any:
    """A pool that looks before each use whether the connection lives."""
    own = engine(dsn, pool_pre_ping=True, pool_size=2, max_overflow=1, pool_recycle=3600)
    given = []
    for number in range(3):
        with own.connect() as connection:
            given.append(connection.scalar(sa.text("select :a + 1"), {"a": number}))
    with own.connect() as first, own.connect() as second:
        given += [first.scalar(sa.text("select 'first'")), second.scalar(sa.text("select 'second'"))]
    own.dispose()
    return given


def no_pool(dsn: str) -> Any:
    """A connection of its own for each use, which the engine's own event sets up."""
    own = engine(dsn, poolclass=sa.pool.NullPool, connect_args={"application_name": "shop"})

    @sa.event.listens_for(own, "connect")
    def set_up(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("set time zone 'Asia/Tokyo'")
        cursor.close()
        connection.commit()

    given = []
    for _ in range(3):
        with own.connect() as connection:
            asked = sa.text("select current_setting('TimeZone'), timestamptz '2024-02-29 12:30+00'")
            given.append(connection.execute(asked).all())
    own.dispose()
    return given


def disposed(dsn: str) -> Any:
    """A pool that is emptied in the middle, and an engine that is given its isolation level."""
    own = engine(dsn, isolation_level="REPEATABLE READ")
    given = []
    for _ in range(2):
        with own.begin() as connection:
            given.append(connection.exec_driver_sql("show transaction_isolation").scalar())
        own.dispose()
    return given


SCENARIOS = (pre_ping, no_pool, disposed)
