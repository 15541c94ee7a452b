"""The scenarios as the matrix of drivers and servers runs them: each with an engine of its own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from tests.drivers.sqlalchemy import awaited, pools, scenarios
from tests.drivers.sqlalchemy.engines import async_engine, engine

OnEngine: TypeAlias = Callable[[sa.Engine], Any]
OnAsyncEngine: TypeAlias = Callable[[AsyncEngine], Coroutine[Any, Any, Any]]
OnServer: TypeAlias = Callable[[str], Any]


def programs(program: str) -> Sequence[OnServer]:
    """For `sqlalchemy-psycopg`, `sqlalchemy-psycopg_async`, `sqlalchemy-asyncpg`."""
    driver = program.split("-")[1]
    if driver == "psycopg":
        return (*map(_run, scenarios.SCENARIOS), *pools.SCENARIOS)
    both = [_spawn(each, driver) for each in scenarios.SCENARIOS]
    return (*both, *(_run_async(each, driver) for each in awaited.SCENARIOS), _pools(driver))


def _run(scenario: OnEngine) -> OnServer:
    def run(dsn: str) -> Any:
        made = engine(dsn)
        given = scenario(made)
        made.dispose()
        return given

    return _named(run, scenario)


def _spawn(scenario: OnEngine, driver: str) -> OnServer:
    async def run(dsn: str) -> Any:
        made = async_engine(dsn, driver)
        given = await greenlet_spawn(scenario, made.sync_engine)
        await made.dispose()
        return given

    return _named(run, scenario)


def _run_async(scenario: OnAsyncEngine, driver: str) -> OnServer:
    async def run(dsn: str) -> Any:
        made = async_engine(dsn, driver)
        given = await scenario(made)
        await made.dispose()
        return given

    return _named(run, scenario)


def _pools(driver: str) -> OnServer:
    async def run(dsn: str) -> Any:
        return await awaited.pools(dsn, driver)

    return _named(run, awaited.pools)


def _named(run: OnServer, scenario: Callable[..., Any]) -> OnServer:
    run.__name__, run.__module__ = scenario.__name__, scenario.__module__
    return run
