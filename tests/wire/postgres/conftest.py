from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.servers.postgres import PostgresServer


@pytest.fixture
def connection(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.dsn, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection
