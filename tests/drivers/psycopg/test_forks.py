"""A process that was forked asks what its parent asks as well: in replay each gets the answer that it got then."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.promises.running import recording, run, with_report
from tests.servers.postgres import PostgresServer

PROGRAM = (sys.executable, "-m", "tests.drivers.psycopg.forked")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_and_child_get_their_own_answers(stoppable_postgres: PostgresServer, tmp_path: Path) -> None:
    store = tmp_path / "store"
    recorded = run(["opentelemetry-instrument", *PROGRAM, stoppable_postgres.dsn], recording(store))
    assert recorded.stdout == "1 2 3\n", recorded.stderr
    stoppable_postgres.stop()
    (trace,) = [folder for folder in store.iterdir() if len(folder.name) == 32]
    command = ["timetracer-otel", "exec", str(trace)]
    replayed = with_report(command, tmp_path, {}, ("--", *PROGRAM, stoppable_postgres.dsn))
    assert "1 2 3" in replayed.output.splitlines()
    assert (replayed.status, replayed.verdict, replayed.report["unused"]) == (0, "same", [])
