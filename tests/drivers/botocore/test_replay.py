"""Recorded against moto's server, the server stopped; replayed in a fresh process with nothing of AWS around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.drivers.botocore import async_scenarios, scenarios
from tests.drivers.botocore.harness import Recorded, printed, record, replay
from tests.promises.running import Replayed
from tests.promises.test_canaries import search
from tests.servers.aws import ACCESS_KEY, SECRET_KEY, AwsServer
from timetracer_otel.cassette import Exchange
from timetracer_otel.config import MIB
from timetracer_otel.drivers.botocore.propagation import without_propagation
from timetracer_otel.drivers.botocore.questions import question

CONFIG = """
[profile prod]
role_arn = arn:aws:iam::123456789012:role/production
source_profile = base
region = eu-west-1
[profile base]
aws_access_key_id = AKIAKT4NARYKT4NARY09
aws_secret_access_key = kT4nary-of-a-profile
"""
NAMES = [each.__name__ for each in (*scenarios.SCENARIOS, *async_scenarios.SCENARIOS)]


@pytest.fixture(scope="module")
def recorded(stoppable_aws: AwsServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("aws")
    (folder / "config").write_text(CONFIG)
    variables = {**stoppable_aws.variables, "AWS_CONFIG_FILE": str(folder / "config")}
    done = record(folder / "store", variables, "scenarios", "async_scenarios")
    stoppable_aws.stop()
    return done


def params(exchange: Exchange) -> Any:
    return exchange.request["params"]


@pytest.fixture(scope="module")
def replayed(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replay(recorded, tmp_path_factory.mktemp("replay"))


@pytest.mark.parametrize("scenario", NAMES)
def test_r13_r43_r44_without_credentials_a_program_sees_the_same(
    recorded: Recorded, replayed: Replayed, scenario: str
) -> None:
    assert printed(replayed.output)[scenario] == recorded.given[scenario]


def test_r13_nothing_is_missed_left_over_or_refused(replayed: Replayed) -> None:
    assert (replayed.status, replayed.verdict) == (0, "same")
    assert replayed.report["uncontrolled"] == []


def test_r13_a_role_that_the_library_assumed_is_no_call_and_is_not_assumed_in_replay(recorded: Recorded) -> None:
    roles = {params(each)["RoleArn"] for each in recorded.calls("sts", "AssumeRole")}
    assert roles == {"arn:aws:iam::123456789012:role/r"}  # the application's own


def test_never_lies_a_call_with_one_changed_value_is_another_call(recorded: Recorded) -> None:
    """Each leaf of each recorded call is changed: no answer of the recording fits."""
    known = {_key(each.request) for each in recorded.exchanges}
    mutants = [mutant for each in recorded.exchanges for mutant in _mutants(each.request)]
    assert len(mutants) > 500
    assert [mutant for mutant in mutants if _key(mutant) in known] == []


def _key(request: Any) -> Any:
    found = question(request)
    return found.shape, tuple((slot.path, slot.key) for slot in found.slots)


def _mutants(request: Any) -> Iterator[Any]:
    for changed in _changed(without_propagation(request["service"], request["params"])):
        yield {**request, "params": changed}
    if "upload" in request:
        yield {**request, "upload": {**request["upload"], "sha256": "0" * 64}}


def _changed(value: Any) -> Iterator[Any]:
    """The value with one leaf of it changed, for each."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from ({**value, name: changed} for changed in _changed(each))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in _changed(each))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value + 1000
    elif value is not None:
        yield value + (b"~" if isinstance(value, bytes) else "~")


def test_r11_parts_in_threads_belong_to_the_cassette_of_their_request(recorded: Recorded) -> None:
    parts = recorded.calls("s3", "UploadPart")
    numbers: list[Any] = [params(part)["PartNumber"] for part in parts]
    assert sorted(numbers) == [1, 2, 3, 4]
    ranges = [each for each in recorded.calls("s3", "GetObject") if "multipart" in str(each.request["params"])]
    assert len(ranges) == 4
    assert None not in {part.span_id for part in (*parts, *ranges)}


def test_binary_bodies_lie_beside_the_part_as_they_are(recorded: Recorded) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(5 * MIB))
    names = {hashlib.sha256(content[start : start + 5 * MIB]).hexdigest() for start in range(0, len(content), 5 * MIB)}
    assert names <= {path.name for path in (recorded.store / "blobs").iterdir()}


def test_r11_calls_of_worker_threads_of_an_async_request_are_in_its_cassette(recorded: Recorded) -> None:
    threads = [each for each in recorded.calls("s3", "PutObject") if "thread-" in str(each.request["params"])]
    assert len(threads) == 4


def test_no_byte_of_a_secret_is_in_any_file_of_the_store(recorded: Recorded) -> None:
    assert search(recorded.store) == []


def test_what_signs_a_request_is_nowhere(recorded: Recorded) -> None:
    text = repr(recorded.exchanges)
    for secret in (ACCESS_KEY, SECRET_KEY, "AWS4-HMAC-SHA256", "Authorization", "X-Amz-Signature"):
        assert secret not in text


def test_a_bodys_bytes_are_those_that_were_sent(recorded: Recorded) -> None:
    (piped,) = [each for each in recorded.calls("s3", "PutObject") if "piped" in str(each.request["params"])]
    assert params(piped)["Body"] == b"piped"
