"""Secrets in exchanges of asyncpg, whose values are binary and whose rows may stand in one piece."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.drivers.asyncpg import scenarios
from tests.drivers.asyncpg.taping import Tape, taps
from tests.servers.postgres import PostgresServer
from timetracer_otel.drivers.asyncpg.codec import CODEC
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor

SECRET = "hunter2-hunter2"
REDACTOR = Redactor()


@pytest.fixture
def tape() -> Iterator[Tape]:
    with taps() as tape:
        yield tape


def run(postgres: PostgresServer, tape: Tape, sql: str, *arguments: Any) -> tuple[Encoded, tuple[str, ...]]:
    """The last exchange, redacted, and the paths of what was masked."""

    async def ask() -> None:
        async with scenarios.connected(postgres.dsn) as connection:
            await connection.fetch(sql, *arguments)

    asyncio.run(ask())
    return CODEC.redact(CODEC.encode(tape.captured[-1]), REDACTOR)


@pytest.mark.parametrize("rows", [1, 19, 20, 500])
def test_a_secret_column_is_masked_however_many_rows_there_are(postgres: PostgresServer, tape: Tape, rows: int) -> None:
    masked, paths = run(postgres, tape, f"select i as id, md5(i::text) as password from generate_series(1, {rows}) i")
    assert paths == ("result.results[0].values[1]",)
    assert hashlib.md5(b"1").hexdigest() not in repr(masked.result)
    results: Any = masked.result["results"]
    assert (results[0]["rows"], len(results[0]["values"][1])) == (rows, rows)


@pytest.mark.parametrize("rows", [1, 200])
def test_rows_without_secrets_stay_as_they_are(postgres: PostgresServer, tape: Tape, rows: int) -> None:
    masked, paths = run(postgres, tape, f"select i as id, 'plain' as name from generate_series(1, {rows}) i")
    results: Any = masked.result["results"]
    assert (paths, "data" in results[0]) == ((), rows >= 20)


def test_what_looks_like_a_secret_is_found_in_one_piece_of_rows(postgres: PostgresServer, tape: Tape) -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    note = f"case when i = 77 then '{key[:4]}' || '{key[4:]}' else 'plain' end"
    masked, paths = run(postgres, tape, f"select {note} as note from generate_series(1, 99) i")
    assert paths == ("result.results[0].values[0]",)
    assert key not in repr(masked.result)


@pytest.mark.parametrize("rows", [1, 99])
@pytest.mark.parametrize("module", [gzip, zlib])
def test_r46_compressed_bytes_are_masked_inside(postgres: PostgresServer, tape: Tape, rows: int, module: Any) -> None:
    data = module.compress(f'{{"password": "{SECRET}", "page": 7}}'.encode())
    sql = f"select $1::bytea as data, i from generate_series(1, {rows}) i"
    masked, paths = run(postgres, tape, sql, data)
    assert paths == ("request.parameters[0]", "result.results[0].values[0]")
    sent: Any = masked.request["parameters"]
    results: Any = masked.result["results"]
    found = [*sent, *results[0]["values"][0]]
    marker = REDACTOR.marker("password", SECRET)
    assert {module.decompress(each) for each in found} == {f'{{"password": "{marker}", "page": 7}}'.encode()}


def test_a_secret_parameter_is_masked_and_known_again_in_the_answer(postgres: PostgresServer, tape: Tape) -> None:
    async def prepare() -> None:
        async with scenarios.connected(postgres.dsn) as connection:
            await connection.execute("drop table if exists accounts; create table accounts (id int, password text)")

    asyncio.run(prepare())
    sql = "insert into accounts (id, password) values ($1, $2) returning id"
    masked, paths = run(postgres, tape, sql, 1, SECRET)
    assert paths == ("request.parameters[1]",)
    assert SECRET not in repr(masked)
    parameters: Any = masked.request["parameters"]
    assert isinstance(parameters[1], bytes)
    assert parameters[0] == b"\0\0\0\1"
