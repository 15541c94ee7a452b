"""aioboto3, which wants an aiobotocore and a botocore of its own: in a folder beside, which also are older ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import ROOT
from tests.drivers.botocore.harness import printed, record, replay
from tests.servers.aws import AwsServer

PINS = ("aioboto3==15.5.0", "aiobotocore==2.25.1", "boto3==1.40.61", "botocore==1.40.61", "s3transfer==0.14.0")
OTHERS = ("aiofiles>=23.2.1", "aioitertools>=0.5.1")


def installed(folder: Path) -> str:
    """A PYTHONPATH with it. Skips or fails where it cannot be installed."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", str(folder)]
    done = subprocess.run([*command, *PINS, *OTHERS], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("TIMETRACER_REQUIRE_SERVERS") == "1":
            pytest.fail(done.stderr)
        pytest.skip(f"aioboto3 cannot be installed: {done.stderr.strip()[-200:]}")
    return os.pathsep.join([str(folder), str(ROOT)])


def test_r13_r43_aioboto3_sees_the_same_without_its_server(stoppable_aws: AwsServer, tmp_path: Path) -> None:
    path = installed(tmp_path / "packages")
    done = record(tmp_path / "store", {**stoppable_aws.variables, "PYTHONPATH": path}, "aioboto3_scenarios")
    stoppable_aws.stop()
    assert len(done.calls("s3", "UploadPart")) == 2
    found = replay(done, tmp_path, PYTHONPATH=path)
    assert printed(found.output) == done.given
    assert (found.status, found.verdict) == (0, "same")
