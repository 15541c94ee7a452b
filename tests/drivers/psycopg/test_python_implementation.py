"""psycopg chooses its implementation at import: the tests of the taps run once more in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = (
    "test_record.py",
    "test_pipelines.py",
    "test_codec.py",
    "test_masking.py",
    "test_never_hurts.py",
    "test_routing.py",
)


@pytest.mark.usefixtures("libpq")
def test_the_taps_do_the_same_for_the_python_implementation() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / name) for name in TESTS)],
        cwd=HERE.parents[2],
        env={**os.environ, "PSYCOPG_IMPL": "python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
