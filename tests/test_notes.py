"""The examples with a stream and WebSockets do what they say, on Starlette and on FastAPI."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, environment
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("name", ["notes_fastapi", "notes_starlette"])
def test_every_request_stream_and_websocket_replays_the_same(
    name: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    """It starts its own PostgreSQL; `postgres` skips where none can run."""
    command = [sys.executable, str(ROOT / "examples" / "notes.py"), name, str(tmp_path / "service")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 6 same\n" in done.stdout
    assert "101 AttributeError" in done.stdout
    assert "body.line[1]: recorded 'id: 1', replayed 'key: 1'" in done.stdout
