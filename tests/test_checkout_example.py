"""`scripts/example checkout` does what it says: it checks each of its own steps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, environment

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server here")


def test_the_checkout_that_failed_fails_again_without_api_redis_and_worker(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "checkout.py"), str(tmp_path / "checkout")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "TypeError: 'NoneType' object is not subscriptable" in output
    assert output.count("\nsame  ") == 2
