"""Cases of what must be right, for psycopg: each recorded against a real server and replayed without one."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path

from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION
from tests.promises.running import only, record_script, with_report
from tests.servers.postgres import PostgresServer

NUMBERED = """
import sys
from opentelemetry import trace
from tests.drivers.psycopg import case_scenarios, scenarios

scenarios.PART, dsn = sys.argv[1:]
with trace.get_tracer("script").start_as_current_span("ten threads"):
    print(case_scenarios.numbered(dsn))
"""


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


def test_r34_ten_threads_with_the_same_statements_keep_their_transactions_together_in_any_order(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """Which of the ten a transaction is when it begins, nothing says: the report names that as ambiguous."""
    printed = record_script(NUMBERED, tmp_path / "cassettes", "record", postgres.dsn)
    numbers = ast.literal_eval(printed)
    assert [number for (number,), _ in numbers] == list(range(100, 110))
    cassette, _ = only(tmp_path / "cassettes")
    command = ["timetracer-otel", "exec", cassette.path]
    for seed in ("1", "2"):
        program = ("--", sys.executable, "-c", NUMBERED, "replay", PRODUCTION)
        found = with_report(command, tmp_path, {"SEED": seed}, program)
        assert found.output.splitlines()[0] == printed.strip()  # each number with the row that was inserted with it
        assert (found.status, found.verdict, found.findings) == (0, "same", [])
        assert {each["text"] for each in found.report["ambiguous"]} >= {"BEGIN"}
