from __future__ import annotations

from pathlib import Path

import pytest

from tests.drivers.psycopg.harness import record, replay
from tests.drivers.psycopg.here import PRODUCTION, record_here, replay_here
from tests.drivers.psycopg.notify_scenarios import once_more
from tests.servers.postgres import PostgresServer


@pytest.mark.parametrize("implementation", ["binary", "python"])
@pytest.mark.parametrize("scenario", ["notifications", "notifications_async"])
def test_a_program_sees_the_same_in_replay(
    postgres: PostgresServer, tmp_path: Path, scenario: str, implementation: str, request: pytest.FixtureRequest
) -> None:
    if implementation == "python":
        request.getfixturevalue("libpq")
    name = f"notify_scenarios:{scenario}"
    recorded = record(name, postgres.dsn, tmp_path, PSYCOPG_IMPL=implementation)
    replayed = replay(name, PRODUCTION, tmp_path, PSYCOPG_IMPL=implementation)
    assert recorded.failures == {}
    assert "in a transaction" in recorded.given or "async" in recorded.given
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())


def test_a_wait_that_was_not_recorded_is_a_miss_and_does_not_hang(postgres: PostgresServer) -> None:
    given, exchanges = record_here(lambda dsn: once_more(dsn, 2), postgres.dsn)
    assert replay_here(lambda dsn: once_more(dsn, 2), exchanges).given == given
    replayed = replay_here(lambda dsn: once_more(dsn, 200), exchanges)
    assert replayed.missed == ["wait for notifications"]
    assert replayed.given == repr("OperationalError")
