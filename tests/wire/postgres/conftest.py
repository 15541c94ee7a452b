from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.servers.postgres import PostgresServer

DATABASE = "wire"


@pytest.fixture(scope="session")
def pristine(postgres: PostgresServer) -> str:
    """The DSN of a database that holds what every server has, and nothing of another test's."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute(f"create database {DATABASE} template template0")
    return postgres.dsn.rpartition("/")[0] + f"/{DATABASE}"


@pytest.fixture
def connection(pristine: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(pristine, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection
