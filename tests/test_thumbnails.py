"""The example with five services of AWS does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT, Demonstration, environment
from tests.servers.jaeger import JaegerServer
from tests.there_and_back import assert_come_back

COMMAND = (sys.executable, str(ROOT / "examples" / "thumbnails.py"))


@pytest.fixture(scope="module")
def thumbnails(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("example") / "service"
    done = subprocess.run(
        [*COMMAND, str(folder)], env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    return Demonstration(folder, done.stdout + done.stderr, done.returncode)


def test_the_picture_that_failed_fails_again_without_aws(thumbnails: Demonstration) -> None:
    assert thumbnails.status == 0, thumbnails.output
    assert "500 ZeroDivisionError" in thumbnails.output
    assert thumbnails.output.count("\nsame  ") == 2
    for call in ("s3.GetObject", "lambda.Invoke", "sqs.ReceiveMessage"):
        assert call in thumbnails.output


def test_pictures_come_back_from_jaeger_and_replay_the_same(
    thumbnails: Demonstration, jaeger: JaegerServer, tmp_path: Path
) -> None:
    assert_come_back(jaeger, thumbnails, tmp_path, "botocore", "starlette")
