from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def libpq() -> None:
    """psycopg's Python implementation runs here: it needs the machine's own libpq. Skips or fails without it."""
    tried = subprocess.run(
        [sys.executable, "-c", "import psycopg"],
        env={**os.environ, "PSYCOPG_IMPL": "python"},
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode == 0:
        return
    reason = f"no libpq for psycopg's Python implementation: {tried.stderr.strip().splitlines()[-1]}"
    if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
