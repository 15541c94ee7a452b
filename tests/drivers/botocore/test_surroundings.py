"""What a client learns from its surroundings, where no recorded call tells it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.drivers.botocore.harness import printed, record, replay
from tests.drivers.taping import ListTape
from tests.drivers.traced import replayed_by
from tests.servers.aws import ACCESS_KEY, SECRET_KEY
from timetracer_otel.drivers.botocore.codec import CODEC
from timetracer_otel.drivers.botocore.replay import REPLAYING
from timetracer_otel.drivers.botocore.surroundings import ACCESS_KEY as ACCESS_STAND_IN

KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def test_a_region_of_the_environment_is_that_of_the_replay(tmp_path: Path) -> None:
    recorded = record(tmp_path / "store", {**KEYS, "AWS_DEFAULT_REGION": "eu-west-1"}, "presigning")
    replayed = replay(recorded, tmp_path)
    assert (
        printed(replayed.output) == recorded.given == {"where": repr("https://media.s3.eu-west-1.amazonaws.com/a.txt")}
    )
    assert "variables.AWS_DEFAULT_REGION" not in [each["name"] for each in replayed.report["changed"]]


def test_where_nobody_knows_the_region_a_client_can_be_made(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\n")
    recorded = record(tmp_path / "store", {**KEYS, "AWS_CONFIG_FILE": str(config)}, "presigning")
    assert printed(replay(recorded, tmp_path).output) == {"where": repr("https://media.s3.amazonaws.com/a.txt")}


def test_credentials_of_the_applications_own_are_not_refreshed() -> None:
    """What their refresh asks is not recorded, and a fresh process has nothing left of an earlier one."""
    from botocore.credentials import DeferredRefreshableCredentials

    with replayed_by(REPLAYING, ListTape(CODEC)) as replay:
        found = DeferredRefreshableCredentials(_refresh, "test")
        assert found.get_frozen_credentials().access_key == found.access_key == ACCESS_STAND_IN
        assert replay.misses == []
    with pytest.raises(AssertionError, match="refreshed"):
        found.get_frozen_credentials()


def test_nor_are_those_of_aiobotocore() -> None:
    from aiobotocore.client import AioBaseClient
    from aiobotocore.credentials import AioDeferredRefreshableCredentials

    assert AioBaseClient is not None  # with its import the driver comes
    with replayed_by(REPLAYING, ListTape(CODEC)):
        found = AioDeferredRefreshableCredentials(_refresh, "test")
        assert asyncio.run(found.get_frozen_credentials()).access_key == ACCESS_STAND_IN


def _refresh() -> dict[str, str]:
    raise AssertionError("refreshed")
