"""`scripts/example payments_celery` does what it says: it checks each of its own steps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, environment
from tests.servers.postgres import PostgresServer


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")
def test_the_payment_that_failed_in_the_worker_fails_again(postgres: PostgresServer, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "payments.py"), str(tmp_path / "payments")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TypeError: unsupported operand type(s) for *: 'int' and 'NoneType'" in done.stdout
    assert done.stdout.count("\nsame  ") == 2
