"""R12: what is sent is what is sent without us; and what the taps make of streams, fault and limits."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import io
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast
from unittest.mock import Mock

import boto3
import pytest
import urllib3
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from tests.drivers.botocore.taping import REGION, client, taps
from tests.drivers.taping import ListTape
from tests.servers.canned_aws import CannedAws, Sent
from timetracer_otel.capture import guard
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers import numbers
from timetracer_otel.drivers.botocore import hooks
from timetracer_otel.drivers.botocore.record import RECORDING
from timetracer_otel.drivers.botocore.surroundings import ACCESS_KEY
from timetracer_otel.drivers.botocore.uploads import KEPT_MAX_BYTES, Upload
from timetracer_otel.redaction import MARKER, Redactor

SESSION = get_session()
VARYING = {"date", "x-amz-date", "authorization", "amz-sdk-invocation-id", "amz-sdk-request"}


@pytest.fixture(scope="module")
def canned() -> Iterator[CannedAws]:
    server = CannedAws()
    yield server
    server.stop()


def calls(server: CannedAws) -> list[Sent]:
    """What a mixture of calls puts on the wire."""
    server.requests.clear()
    server.counts.clear()
    s3 = client("s3", server.url)
    shared = {"Bucket": "b", "Metadata": {"m": "v"}}
    before = copy.deepcopy(shared)
    for number in range(3):
        s3.put_object(Key=f"k{number}", Body=io.BytesIO(b"stream" * 50_000), **shared)
    s3.put_object(Key="bytes", Body=b"b" * 100, ChecksumAlgorithm="SHA256", **shared)
    assert shared == before
    s3.put_object(Bucket="busy", Key="twice", Body=io.BytesIO(b"again"))
    s3.get_object(Bucket="any", Key="x")["Body"].read()
    dynamodb = client("dynamodb", server.url, "standard")
    dynamodb.get_item(TableName="twice", Key={"id": {"S": "1"}})
    asyncio.run(_async_calls(server))
    return list(server.requests)


async def _async_calls(server: CannedAws) -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    async with SESSION.create_client("s3", endpoint_url=server.url, **keys) as s3:
        await s3.put_object(Bucket="b", Key="async", Body=io.BytesIO(b"stream" * 50_000))
        await s3.put_object(Bucket="b", Key="plain", Body=b"bytes")
        await (await s3.get_object(Bucket="any", Key="x"))["Body"].read()


def seen(sent: Sent) -> Any:
    """Without what differs from call to call anyway."""
    kept = [(name, value) for name, value in sent.headers if name.lower() not in VARYING]
    return sent.line, kept, sent.body


@pytest.fixture(scope="module")
def without(canned: CannedAws) -> list[Any]:
    """What is sent without us."""
    return [seen(each) for each in calls(canned)]


def test_r12_every_byte_that_is_sent_is_what_is_sent_without_us(canned: CannedAws, without: list[Any]) -> None:
    with taps() as tape:
        recorded = [seen(each) for each in calls(canned)]
    assert recorded == without
    assert len(tape.captured) == 10


@pytest.mark.parametrize("hook", ["begin", "end", "sending", "sent", "failed", "answered"])
def test_r01_a_fault_inside_a_tap_hurts_no_call(
    canned: CannedAws, without: list[Any], monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    """The inside of each hook raises, behind its guard."""

    def fails(*_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(hooks, hook, guard.guarded("botocore")(fails))
    with taps(strict=False):
        failed = guard.failures["botocore"]
        assert [seen(each) for each in calls(canned)] == without
        assert hook == "failed" or guard.failures["botocore"] > failed


def test_after_the_taps_are_out_the_library_is_as_it_was() -> None:
    from botocore.client import BaseClient
    from botocore.endpoint import Endpoint

    names = [(BaseClient, "_make_request"), (BaseClient, "_convert_to_request_dict"), (Endpoint, "_send")]
    before = [vars(owner)[name] for owner, name in names]
    with taps():
        assert [vars(owner)[name] for owner, name in names] != before
    RECORDING.uninstall()
    assert [vars(owner)[name] for owner, name in names] == before


# ---- streams ---------------------------------------------------------------------------------------------------------


def answer(exchange: Exchange) -> Any:
    """The last attempt's."""
    attempts: Any = exchange.result["attempts"]
    return attempts[-1]


def body_of(server: CannedAws) -> Any:
    return client("s3", server.url).get_object(Bucket="any", Key="x")["Body"]


READS: list[Callable[[Any], object]] = [
    lambda body: body.read(),
    lambda body: [body.read(3), body.read(0), body.read()],
    lambda body: list(body.iter_chunks(4)),
    lambda body: list(body.iter_lines()),
    list,
    lambda body: body.readlines(),
    lambda body: body.readinto(bytearray(100)) and body.readinto(bytearray(1)),
    lambda body: io.BufferedReader(body).read(),
    lambda body: list(body._raw_stream.stream(4)),
]


@pytest.mark.parametrize("number", range(len(READS)))
def test_r10_what_is_read_in_whatever_way_is_recorded_once(canned: CannedAws, number: int) -> None:
    with taps() as tape:
        READS[number](body_of(canned))
        found = answer(tape.exchanges[0])
    assert found["body"] == b'{"echo": "/any/x"}'
    assert "unread" not in found


def test_r10_a_body_keeps_its_type_and_its_connection_goes_back(canned: CannedAws) -> None:
    with taps():
        body = body_of(canned)
        with body as raw:
            assert isinstance(raw, urllib3.HTTPResponse)
            assert type(raw).__qualname__ == "HTTPResponse"
            assert raw.read(2) == b'{"'


def test_r10_an_unread_body_is_collected_as_soon_as_nobody_holds_it(canned: CannedAws) -> None:
    gc.disable()
    try:
        with taps() as tape:
            raw = weakref.ref(body_of(canned)._raw_stream)
            assert raw() is None
            assert answer(tape.exchanges[0])["unread"] is True
    finally:
        gc.enable()


def test_a_body_above_the_limit_is_let_go_and_the_exchange_says_so(
    canned: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taps() as tape:
        monkeypatch.setattr(hooks, "payload_max_bytes", 10)
        assert len(body_of(canned).read()) == 18
        (captured,) = tape.captured
    assert captured.dropped == "limit"


def test_r39_of_a_large_upload_length_and_hash_are_known(canned: CannedAws) -> None:
    content = bytes(range(256)) * (KEPT_MAX_BYTES // 128)
    with taps() as tape:
        client("s3", canned.url).put_object(Bucket="b", Key="stream", Body=io.BytesIO(content))
        client("s3", canned.url).put_object(Bucket="b", Key="bytes", Body=content)
        stream, plain = (each.request["upload"] for each in tape.exchanges)
    assert stream == plain
    assert stream["size"] == len(content)  # type: ignore[index,call-overload]  # a payload


def test_a_rewound_upload_begins_anew() -> None:
    upload = Upload(0, 3)
    upload.take(b"ab")
    upload.restart()
    upload.take(b"abc")
    assert (upload.content, upload.is_ended) == (b"abc", True)


# ---- calls that are none ---------------------------------------------------------------------------------------------


def test_the_key_of_a_replay_is_masked_where_that_of_the_recording_was() -> None:
    """As in a presigned URL that the application gives on: markers of one rule excuse each other."""
    url = "https://b.example/k?AWSAccessKeyId={}&Expires=1"
    masked = [MARKER.sub("*", Redactor().text(url.format(key))) for key in (ACCESS_KEY, "AKIAIOSFODNN7EXAMPLE")]
    assert masked == [url.format("*")] * 2


def test_a_client_shares_its_number_with_no_connection_of_another_driver(canned: CannedAws) -> None:
    before = next(numbers.connections)
    session = boto3.Session(aws_access_key_id="AKIAKT4NARYKT4NARY05", aws_secret_access_key="kT4nary-here")
    with taps() as tape:
        session.client("s3", REGION, endpoint_url=canned.url).put_object(Bucket="b", Key="k", Body=b"1")
    assert [before < each.number < next(numbers.connections) for each in tape.connections] == [True]


def test_a_presigned_url_is_no_call(canned: CannedAws) -> None:
    with taps() as tape:
        client("s3", canned.url).generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert tape.captured == []


def test_a_call_that_an_event_handler_answers_is_no_call(canned: CannedAws) -> None:
    from botocore.stub import Stubber

    with taps() as tape, Stubber(client("dynamodb", canned.url)) as stub:
        stub.add_response("get_item", {"Item": {"id": {"S": "1"}}})
        stub.client.get_item(TableName="t", Key={"id": {"S": "1"}})
    assert tape.captured == []


def test_an_answer_of_a_stand_in_for_the_http_session_is_recorded_by_its_public_names(
    canned: CannedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mock: applications replace the session so in their own tests, as botocore's own do."""
    answer = Mock(status_code=200, headers={"x-by": "stand-in"}, content=b'{"Item": {"id": {"S": "1"}}}')
    with taps() as tape:
        dynamodb = client("dynamodb", canned.url)
        monkeypatch.setattr(dynamodb._endpoint.http_session, "send", lambda request: answer)
        dynamodb.get_item(TableName="any", Key={"id": {"S": "1"}})
    (exchange,) = tape.exchanges
    (attempt,) = cast(Any, exchange.result)["attempts"]
    assert attempt["body"] == answer.content


def test_r13_fetching_credentials_is_no_call_of_the_applications(canned: CannedAws) -> None:
    """The library's own calls, while it refreshes: replay signs with stand-ins, and would never ask for them."""
    from botocore.credentials import RefreshableCredentials

    def refresh() -> dict[str, str]:
        with contextlib.suppress(ClientError):
            client("dynamodb", canned.url).get_item(TableName="credentials", Key={"id": {"S": "1"}})
        return {"access_key": "a", "secret_key": "b", "token": "c", "expiry_time": "2099-01-01T00:00:00Z"}

    with taps() as tape:
        expired = {**refresh(), "expiry_time": "2020-01-01T00:00:00Z"}
        assert len(tape.captured) == 1
        RefreshableCredentials.create_from_metadata(expired, refresh, "test").get_frozen_credentials()
    assert len(tape.captured) == 1


def test_a_cancelled_call_says_that_it_was_given_up(canned: CannedAws) -> None:
    async def cancelled() -> None:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
        async with SESSION.create_client("s3", endpoint_url=canned.url, **keys) as s3:
            task = asyncio.create_task(s3.get_object(Bucket="any", Key="x"))
            while not tape.captured:
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    tape: ListTape
    with taps() as tape:
        asyncio.run(cancelled())
        assert [each.complete for each in tape.captured] in ([True], [])
        assert [each.result for each in tape.exchanges] in ([{"attempts": [{"given_up": True}]}], [])
