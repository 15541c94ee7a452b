"""What a client learns from its surroundings, where no recorded call tells it."""

from __future__ import annotations

from pathlib import Path

from tests.drivers.botocore.harness import printed, record, replay
from tests.servers.aws import ACCESS_KEY, SECRET_KEY

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
