"""The example with five services of AWS does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.demonstration import ROOT, environment

COMMAND = (sys.executable, str(ROOT / "examples" / "thumbnails.py"))


def test_the_picture_that_failed_fails_again_without_aws(tmp_path: Path) -> None:
    folder = str(tmp_path / "service")
    done = subprocess.run(
        [*COMMAND, folder], env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "500 ZeroDivisionError" in output
    assert output.count("\nsame  ") == 2
    for call in ("s3.GetObject", "lambda.Invoke", "sqs.ReceiveMessage"):
        assert call in output
