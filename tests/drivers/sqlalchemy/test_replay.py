"""An engine connects for the first time in one request; another one replays in a process of its own.

What applications do with SQLAlchemy is in `scenarios`, `pools` and `awaited`; tests/drivers/postgres/test_matrix.py
records and replays it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import start_ns
from timetracer_otel.store.opening import open_cassette

ROOT = Path(__file__).resolve().parents[3]
PRODUCTION = "postgresql://app:secret@db.prod.example:5432/postgres"
TIMEOUT_S = 120


def run(mode: str, driver: str, dsn: str, store: Path, **variables: str) -> Mapping[str, Any]:
    inherited = {name: each for name, each in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_", "PG"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.drivers.sqlalchemy.child", mode, driver, dsn],
        cwd=ROOT,
        env={**inherited, "TIMETRACER_STORE": str(store), **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def traces(store: Path) -> list[Path]:
    """The earliest first."""
    folders = [folder for folder in store.iterdir() if len(folder.name) == 32]
    return sorted(folders, key=lambda folder: start_ns(open_cassette(store, folder.name)[0].segments[0]))


@pytest.mark.parametrize("driver", ["psycopg", "psycopg_async", "asyncpg"])
def test_an_engine_that_a_dropped_request_has_warmed_replays_cold(
    postgres: PostgresServer, tmp_path: Path, driver: str
) -> None:
    recorded = run("record", driver, postgres.dsn, tmp_path)
    replayed = run("replay", driver, PRODUCTION, tmp_path, TIMETRACER_CASSETTE=str(traces(tmp_path)[-1]))
    assert recorded["failures"] == {}
    assert replayed == {"given": recorded["given"], "said": [], "unused": []}
