"""Replay never lies: whatever is changed in one recorded request, the unchanged program does not get its answer.

hypothesis draws the request and what is changed in it; all is in one process, so that many are tried.
"""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.asyncpg.here import Found, Recorded, record_here, replay_here
from tests.drivers.asyncpg.scenarios import connected, errors_of
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette.model import Exchange

COMMANDS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
"""A driver adds a BEGIN by itself; then it is the recorded one that is not asked for."""


async def shop(dsn: str) -> Any:
    """Goes on after each error, so that one miss does not hide what is asked later."""
    async with connected(dsn) as connection:
        given = [
            *await errors_of(
                connection.execute("drop table if exists sold; create table sold (id int, name text, price numeric)"),
                connection.executemany("insert into sold values ($1, $2, 1.5)", [(n, f"n{n}") for n in range(3)]),
                connection.fetch(
                    "select $1::int8, $2::text, $3::numeric, $4::timestamptz, $5::uuid, $6::jsonb, $7::bytea, $8::bool",
                    42,
                    "text",
                    Decimal("1.50"),
                    dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc),
                    uuid.UUID(int=1),
                    '{"a": [1, 2]}',
                    b"\0\1",
                    True,
                ),
                connection.fetchval("select $1::int[] || $2::int[]", [1, 2], [3]),
                connection.copy_to_table("sold", source=io.BytesIO(b"7\tseven\t7.5\n8\teight\t8.5\n")),
            )
        ]
        given += await errors_of(_moved(connection, 7), _paged(connection))
        given += await errors_of(
            connection.fetch("select * from sold order by id, name"), connection.execute("select 9")
        )
        return given


async def _moved(connection: Any, number: int) -> Any:
    async with connection.transaction():
        await connection.execute("update sold set price = price + 1 where id = $1", number)
        return await connection.fetchrow("select price from sold where id = $1", number)


async def _paged(connection: Any) -> Any:
    async with connection.transaction():
        return [row async for row in connection.cursor("select id from sold where id > $1 order by id", 1, prefetch=50)]


@pytest.fixture(scope="module")
def recorded(postgres: PostgresServer) -> Recorded:
    return record_here(shop, postgres.dsn)


def replay(recorded: Recorded, exchanges: Sequence[Exchange]) -> Found:
    return replay_here(shop, exchanges, recorded.connections)


def test_the_control_the_recording_as_it_is_answers_all(recorded: Recorded) -> None:
    found = replay(recorded, recorded.exchanges)
    assert (found.given, found.misses, found.is_used_up) == (recorded.given, [], True)


def _asked(exchange: Exchange) -> bool:
    return exchange.request["op"] != "prepare"


def _binary(value: bytes) -> st.SearchStrategy[bytes]:
    """Of the same length: what the server could have been sent."""
    return st.binary(min_size=len(value), max_size=len(value)).filter(lambda drawn: drawn != value)


def _character(text: str) -> st.SearchStrategy[str]:
    """One letter or digit is another one."""
    places = [at for at, each in enumerate(text) if each.isalnum()]
    return st.tuples(st.sampled_from(places), st.sampled_from("abz019")).flatmap(
        lambda drawn: st.just(text[: drawn[0]] + drawn[1] + text[drawn[0] + 1 :])
    )


def _parameter(draw: Callable[..., Any], exchange: Exchange) -> Exchange:
    bound: Any = exchange.request["parameters"]
    values = list(bound)
    index = draw(st.integers(0, len(values) - 1))
    values[index] = draw(_binary(values[index]) | st.none())
    return replace(exchange, request={**exchange.request, "parameters": values})


def _statement(draw: Callable[..., Any], exchange: Exchange) -> Exchange:
    statement = str(exchange.request["statement"])
    other = draw(_character(statement).filter(lambda drawn: drawn != statement))
    return replace(exchange, request={**exchange.request, "statement": other})


def _row(draw: Callable[..., Any], exchange: Exchange) -> Exchange:
    copy: Any = exchange.request["copy"]
    index = draw(st.integers(0, len(copy["data"]) - 1))
    rows = [*copy["data"][:index], draw(_character(copy["data"][index])), *copy["data"][index + 1 :]]
    return replace(exchange, request={**exchange.request, "copy": {**copy, "data": rows}})


@st.composite
def mutant(draw: Callable[..., Any], exchange: Exchange) -> Exchange:
    changes = [_statement]
    changes += [_parameter] * (2 if "parameters" in exchange.request else 0)
    changes += [_row] * (2 if "copy" in exchange.request else 0)
    return draw(st.sampled_from(changes))(draw, exchange)  # type: ignore[no-any-return]  # of a strategy of any


@settings(max_examples=80)
@given(data=st.data())
def test_a_request_with_one_other_value_answers_nothing(recorded: Recorded, data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from([each for each in recorded.exchanges if _asked(each)]))
    changed = data.draw(mutant(chosen).filter(lambda drawn: drawn != chosen))
    found = replay(recorded, [changed if each is chosen else each for each in recorded.exchanges])
    assert changed.id not in found.taken
    assert not found.is_used_up
    if not str(chosen.request["statement"]).upper().startswith(COMMANDS):
        assert len(found.misses) == 1
        assert sum(now != then for now, then in zip(found.given, recorded.given, strict=True)) == 1


@settings(max_examples=30)
@given(data=st.data())
def test_a_request_that_is_not_recorded_is_one_miss(recorded: Recorded, data: st.DataObject) -> None:
    asked = [each for each in recorded.exchanges if _asked(each) and each.request["statement"] != "BEGIN;"]
    left_out = data.draw(st.sampled_from(asked))
    found = replay(recorded, [each for each in recorded.exchanges if each is not left_out])
    assert len(found.misses) == 1
    assert sum(now != then for now, then in zip(found.given, recorded.given, strict=True)) == 1


def test_a_recorded_rollback_does_not_answer_a_commit(recorded: Recorded) -> None:
    rolled = [
        replace(each, request={**each.request, "statement": "ROLLBACK;"})
        if str(each.request["statement"]).startswith("COMMIT")
        else each
        for each in recorded.exchanges
    ]
    found = replay(recorded, rolled)
    assert found.misses[0] == "COMMIT"
    assert "InternalServerError" in found.given[5]


def test_a_miss_is_the_drivers_own_exception(recorded: Recorded) -> None:
    found = replay(recorded, [])
    assert all(asyncpg.InternalServerError.__name__ in each for each in found.given)
