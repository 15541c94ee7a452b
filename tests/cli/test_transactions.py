"""Transactions: which requests are inside of each, its savepoints, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.cli.conftest import Cli
from tests.comparison.recordings import TOTAL, a, http, query, segment, totals
from timetracer_otel.cassette import Acquire, Cassette, Exchange, Segment, Value
from timetracer_otel.cli.transactions import Savepoint, transactions
from timetracer_otel.store import save_bundle

MS = 1_000_000
LOST = {"C": "40001", "M": "could not serialize access"}


def asked(
    number: int,
    statement: str,
    tx: str,
    *results: Mapping[str, Value],
    transaction: int | None = 7,
    error: Mapping[str, Value] | None = None,
) -> Exchange:
    exchange = query(number, statement, (), *results, error=error)
    return replace(exchange, transaction=transaction, connection=2, result={**exchange.result, "tx": tx})


def said(tag: str) -> dict[str, Value]:
    return {"tag": tag}


REQUESTS = (
    asked(10, "BEGIN", "T", said("BEGIN")),
    asked(11, TOTAL, "T", totals("1")),
    asked(12, 'SAVEPOINT "a"', "T", said("SAVEPOINT")),
    asked(13, "insert into notes values (1)", "E", error={"C": "23505", "M": "twice"}),
    asked(14, 'ROLLBACK TO "a"', "T", said("ROLLBACK")),
    asked(15, 'RELEASE "a"', "T", said("RELEASE")),
    asked(16, "savepoint b", "T", said("SAVEPOINT")),
    asked(17, "savepoint c", "T", said("SAVEPOINT")),
    asked(18, TOTAL, "T", totals("1")),
    asked(19, "release savepoint b", "T", said("RELEASE")),
    asked(20, "COMMIT", "I", said("COMMIT")),
    asked(21, TOTAL, "I", totals("1"), transaction=None),
)
POOLS = (
    Acquire("psycopg", "shop", 9 * MS, 12 * MS, 4, 8, 0, 3, connection=2),
    Acquire("asyncpg", "", 30 * MS, 5 * MS, 1, 1, 0, 0, error="TimeoutError"),
)


def of(*exchanges: Exchange, pools: tuple[Acquire, ...] = ()) -> Segment:
    return replace(segment(http(), *exchanges), pools=pools)


def save(cassette: Cassette) -> str:
    save_bundle(cassette, Path("a.cassette.json"))
    return "a.cassette.json"


def test_each_request_is_in_its_transaction_and_inside_its_savepoints() -> None:
    found = transactions(of(*REQUESTS))
    assert [found.places.get(each.id) for each in REQUESTS] == [
        "7",
        "7",
        "7",
        "7.1",
        "7.1",
        "7.1",
        "7",
        "7.1",
        "7.2",
        "7.2",
        "7",
        None,
    ]
    (transaction,) = found.found
    assert transaction.end == "COMMIT"
    assert [(each.name, each.fate) for each in transaction.savepoints] == [
        ("a", "rolled back"),
        ("b", "released"),
        ("c", "released"),
    ]


def test_a_transaction_ends_as_the_server_says() -> None:
    failed = asked(1, "COMMIT", "I", error=LOST)
    aborted = asked(2, "COMMIT", "I", said("ROLLBACK"), transaction=8)
    left = asked(3, "BEGIN", "T", said("BEGIN"), transaction=9)
    whole = asked(4, "begin; select 1; commit", "I", said("BEGIN"), said("COMMIT"), transaction=10)
    ends = [each.end for each in transactions(of(failed, aborted, left, whole)).found]
    assert ends == ["40001: could not serialize access", "ROLLBACK", "open", "BEGIN; COMMIT"]


def test_a_savepoint_that_nobody_released_stays_open() -> None:
    (found,) = transactions(of(*REQUESTS[:3], asked(9, "release z", "E", error=LOST))).found
    assert found.savepoints == [Savepoint("a")]


def test_show_prints_transactions_and_pools(cli: Cli, folder: Path) -> None:
    out = cli("show", save(a(of(*REQUESTS, pools=POOLS)))).out
    lines = [line.split() for line in out.splitlines()]
    (transaction,) = [line for line in out.splitlines() if "COMMIT" in line and "rolled back" in line]
    assert transaction.split()[:6] == ["7", "10.0", "10.5", "2", "11", "COMMIT"]
    assert transaction.endswith("a rolled back, b released, c released")
    assert ["psycopg", "shop", "9.0", "12.0", "4/8", "0", "3", "2"] in lines
    assert ["asyncpg", "30.0", "5.0", "1/1", "0", "0", "TimeoutError"] in lines
    inside = next(line for line in lines if "insert" in line)
    assert inside[3] == "7.1"


def test_show_prints_no_column_for_transactions_where_there_are_none(cli: Cli, folder: Path) -> None:
    out = cli("show", save(a(of(REQUESTS[-1])))).out
    assert "tx" not in out.split()
    assert "waited" not in out


def test_timeline_draws_waits_and_names_transactions(cli: Cli, folder: Path) -> None:
    lines = cli("timeline", save(a(of(*REQUESTS, pools=POOLS)))).out.splitlines()
    (wait,) = [line for line in lines if "pool psycopg shop" in line]
    assert wait.endswith("pool psycopg shop   size 4/8, 0 idle, 3 waiting")
    assert wait.split()[:2] == ["9.0", "12.0"]
    assert "." in wait.partition("|")[2].partition("|")[0]
    (failed,) = [line for line in lines if "pool asyncpg" in line]
    assert failed.endswith("[failed] pool asyncpg   size 1/1, 0 idle, 0 waiting   TimeoutError")
    (inside,) = [line for line in lines if "insert into" in line]
    assert "[failed] [tx 7.1] " in inside
