"""Services that throttle, break off or send more than is wanted: recorded from a canned server, replayed without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.botocore import canned_scenarios
from tests.drivers.botocore.harness import Recorded, clean, plain, printed, record, replay
from tests.promises.running import Replayed, run
from tests.promises.test_canaries import search
from tests.servers.canned_aws import LARGE_BYTES, MIB, CannedAws
from timetracer_otel.cassette import Exchange

NAMES = [each.__name__ for each in canned_scenarios.SCENARIOS]


@pytest.fixture(scope="module")
def canned() -> Iterator[CannedAws]:
    server = CannedAws()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def recorded(canned: CannedAws, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    done = record(tmp_path_factory.mktemp("canned") / "store", canned.variables, "canned_scenarios")
    canned.stop()
    return done


@pytest.fixture(scope="module")
def replayed(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(recorded, tmp_path_factory.mktemp("replay"))


@pytest.mark.parametrize("scenario", NAMES)
def test_retries_and_broken_answers_are_seen_alike(recorded: Recorded, replayed: Replayed, scenario: str) -> None:
    assert printed(replayed.output)[scenario] == recorded.given[scenario]


def test_a_replay_with_retries_is_the_same(replayed: Replayed) -> None:
    assert (replayed.status, replayed.verdict) == (0, "same")


def test_nobody_sleeps_in_replay(replayed: Replayed) -> None:
    slept = [float(line.split()[1]) for line in replayed.output.splitlines() if line.startswith("slept ")]
    assert slept == [0] * 7


def _of_table(recorded: Recorded, table: str) -> list[Any]:
    (call,) = [each for each in recorded.calls("dynamodb", "GetItem") if f"'{table}'" in str(each.request["params"])]
    return list(attempts(call))


def attempts(exchange: Exchange) -> list[Mapping[str, Any]]:
    found: Any = exchange.result["attempts"]
    return list(found)


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_throttled_call_is_one_exchange_with_its_attempts(recorded: Recorded, mode: str) -> None:
    assert [each["status"] for each in _of_table(recorded, f"twice-{mode}")] == [400, 400, 200]
    assert [each["status"] for each in _of_table(recorded, f"always-{mode}")] == [400] * 4


def test_an_attempt_without_a_response_says_why(recorded: Recorded) -> None:
    first, second = _of_table(recorded, "hangs-up")
    assert first["error"]["type"] == "ConnectionClosedError"
    assert second["status"] == 200


def test_r39_a_stream_that_was_rewound_is_recorded_once(recorded: Recorded) -> None:
    call, refused = recorded.calls("s3", "PutObject")
    params: Any = call.request["params"]
    assert refused.request["params"]["Body"] == b"never heard"  # type: ignore[index,call-overload]  # a payload
    assert [each["status"] for each in attempts(call)] == [503, 200]
    assert len(params["Body"]) in (9990, 10000)  # botocore rewinds to the start, wherever the stream stood


@pytest.mark.parametrize(("key", "read"), [("unread", 0), ("half", 1024)])
def test_r10_of_a_large_object_only_what_was_read_is_recorded_and_downloaded(
    canned: CannedAws, recorded: Recorded, key: str, read: int
) -> None:
    (call,) = [each for each in recorded.calls("s3", "GetObject") if f"'{key}'" in str(each.request["params"])]
    (answer,) = attempts(call)
    assert (len(answer["body"]), answer["unread"]) == (read, True)
    assert canned.sent_bytes[f"/large/{key}"] < LARGE_BYTES / 2  # what the sockets hold


def test_r10_nothing_more_is_downloaded_than_without_us(recorded: Recorded) -> None:
    server = CannedAws()
    plain(server.variables, "canned_scenarios:one_kilobyte")
    without = server.sent_bytes["/large/half"]
    server.stop()
    assert without < LARGE_BYTES / 2
    assert recorded.calls("s3", "GetObject")


def test_r10_whoever_reads_on_or_gives_up_earlier_is_told_that_it_was_recorded_otherwise(
    recorded: Recorded, tmp_path: Path
) -> None:
    code = """
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
body = boto3.client("s3").get_object(Bucket="large", Key="half")["Body"]
print(f"first\t{len(body.read(1024))}")
try:
    body.read(1)
except BotoCoreError as error:
    print(f"more\t{error}")
client = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
try:
    client.get_item(TableName="always-standard", Key={"id": {"S": "1"}})
except client.exceptions.ProvisionedThroughputExceededException as error:
    print(f"less\t{error}")
"""
    other = replay(recorded, tmp_path, recorded.program[0], "-c", code)
    assert printed(other.output)["first"] == "1024"
    assert "s3.GetObject: the recorded application did not read on here" in printed(other.output)["more"]
    assert "reached max retries: 1" in printed(other.output)["less"]
    assert other.verdict == "inconclusive"
    assert "2 of 4 recorded attempts were made" in str(other.report)


def test_r08_a_call_that_was_not_recorded_is_a_miss_that_names_itself_and_the_nearest(
    recorded: Recorded, tmp_path: Path
) -> None:
    code = """
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
client = boto3.client("dynamodb", config=Config(retries={"mode": "standard", "total_max_attempts": 9}))
for name, key in (("other", "2"), ("again", "1")):
    try:
        client.get_item(TableName="always-standard", Key={"id": {"S": key}})
    except BotoCoreError as error:
        print(f"{name}\t{error}")
"""
    missed = replay(recorded, tmp_path, recorded.program[0], "-c", code)
    assert (missed.status, missed.verdict) == (1, "deviates")
    other, again = printed(missed.output)["other"], printed(missed.output)["again"]
    assert other.startswith("timetracer: no recorded answer for dynamodb.GetItem; nearest")
    assert "params.Key.id.S: recorded '1', asked '2'" in other
    assert "recorded with 4 attempts, this is number 5" in again
    assert len(missed.report["misses"]) == 2


def test_people_see_service_operation_parameters_attempts_and_outcome(recorded: Recorded) -> None:
    shown = run(["timetracer-otel", "show", recorded.cassette], clean(COLUMNS="400")).stdout
    assert "dynamodb.GetItem" in shown
    assert "400 ProvisionedThroughputExceededException, after 3 retries" in shown
    assert "200, read 1024 bytes, the rest unread" in shown
    assert "EndpointConnectionError: Could not connect" in shown
    assert "s3.PutObject" in run(["timetracer-otel", "timeline", recorded.cassette], clean()).stdout
    same = run(["timetracer-otel", "diff", recorded.cassette, recorded.cassette], clean())
    assert same.returncode == 0, same.stdout


def test_canaries_of_sso_and_cognito_are_nowhere_in_the_store(recorded: Recorded) -> None:
    assert search(recorded.store) == []


def test_the_server_counts_what_it_sends() -> None:
    """A control: whoever reads it all downloads it all."""
    import urllib.request

    server = CannedAws()
    with urllib.request.urlopen(f"{server.url}/large/all") as answer:
        assert len(answer.read()) == LARGE_BYTES
    server.stop()
    assert server.sent_bytes["/large/all"] == LARGE_BYTES == 50 * MIB
