"""Servers that stand in for AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import started
from tests.servers.aws import AwsServer


@pytest.fixture(scope="module")
def stoppable_aws() -> Iterator[AwsServer]:
    """One for the tests of a file, to be stopped in them. Skips or fails when it cannot run on this machine."""
    server = started(AwsServer)
    yield server
    server.stop()
