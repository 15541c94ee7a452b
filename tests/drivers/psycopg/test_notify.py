from __future__ import annotations

from tests.drivers.psycopg.here import record_here, replay_here
from tests.drivers.psycopg.notify_scenarios import once_more
from tests.servers.postgres import PostgresServer


def test_a_wait_that_was_not_recorded_is_a_miss_and_does_not_hang(postgres: PostgresServer) -> None:
    given, exchanges = record_here(lambda dsn: once_more(dsn, 2), postgres.dsn)
    assert replay_here(lambda dsn: once_more(dsn, 2), exchanges).given == given
    replayed = replay_here(lambda dsn: once_more(dsn, 200), exchanges)
    assert replayed.missed == ["wait for notifications"]
    assert replayed.given == repr("OperationalError")
