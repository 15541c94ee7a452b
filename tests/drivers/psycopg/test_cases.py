"""Cases of what must be right, for psycopg: each recorded against a real server and replayed without one."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION
from tests.promises.running import only
from tests.servers.postgres import PostgresServer


def statements(store: Path) -> Counter[str]:
    _, segment = only(store)
    return Counter(str(each.request.get("statement")) for each in segment.exchanges)


def test_r04_prepared_statements_are_recorded_once_each_also_through_sqlalchemy(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("case_scenarios:prepared", postgres.dsn, tmp_path)
    replayed = replay("case_scenarios:prepared", PRODUCTION, tmp_path)
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())
    found = statements(tmp_path)
    assert [count for text, count in found.items() if "as first" in text or "as second" in text] == [3, 3]
    assert [count for text, count in found.items() if "as third" in text] == [7]


def test_r06_what_a_pool_asks_by_itself_is_no_work_of_the_app(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("case_scenarios:looked_after", postgres.dsn, tmp_path)
    replayed = replay("case_scenarios:looked_after", PRODUCTION, tmp_path)
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())


def test_a_prepared_statement_whose_table_changed_replays_as_it_happened(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    recorded = record("case_scenarios:changed", postgres.dsn, tmp_path)
    replayed = replay("case_scenarios:changed", PRODUCTION, tmp_path)
    assert (replayed.given, replayed.said, replayed.unused) == (recorded.given, (), ())
    assert "[(1, 'x')]" in recorded.given
    assert recorded.given.count("cached plan must not change result type") == 4  # a text and a field, twice
    assert "(1, 'x', 5)" in recorded.given


@pytest.mark.parametrize("seed", ["1", "2"])
def test_r34_ten_threads_with_the_same_statements_keep_their_transactions_together_in_any_order(
    postgres: PostgresServer, tmp_path: Path, seed: str
) -> None:
    recorded = record("case_scenarios:numbered", postgres.dsn, tmp_path, THREADING="1")
    replayed = replay("case_scenarios:numbered", PRODUCTION, tmp_path, THREADING="1", SEED=seed)
    numbers = ast.literal_eval(recorded.given)
    assert [number for (number,), _ in numbers] == list(range(100, 110))
    assert replayed.given == recorded.given  # each number with the row that was inserted with it
    assert {each["event"] for each in replayed.said} <= {"ambiguous"}
    assert replayed.unused == ()
