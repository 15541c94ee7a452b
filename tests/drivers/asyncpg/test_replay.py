"""Recorded against a real server, replayed in a process of its own under an address that leads nowhere.

All that asyncpg can do, on both loops: tests/drivers/postgres/test_matrix.py; with psycopg's cassettes: test_across.py
beside it; an engine that was warm: `own_pinged` in test_cases.py.
"""

from __future__ import annotations

from pathlib import Path

from tests.drivers.asyncpg.harness import record, replay
from tests.servers.postgres import PostgresServer

PRODUCTION = "postgresql://app:secret@db.prod.example:5432/postgres?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"


def test_a_request_recorded_on_warm_connections_replays_cold(postgres: PostgresServer, tmp_path: Path) -> None:
    recorded = record("own_warm_pool", postgres.dsn, tmp_path)
    replayed = replay("own_warm_pool", PRODUCTION, tmp_path)
    assert replayed.given == recorded.given
    assert (replayed.said, replayed.unused) == ((), ())
    assert replayed.recorded[0].startswith("BEGIN")
    assert not [each for each in replayed.recorded if "pg_type" in each or "pg_advisory" in each]
