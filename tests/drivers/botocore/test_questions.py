"""R38: calls that the service would not tell apart are the same question; anything else is another one."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.drivers.base import Question
from timetracer_otel.drivers.botocore.parameters import STREAM, plain, snapshot
from timetracer_otel.drivers.botocore.questions import question
from timetracer_otel.drivers.botocore.requests import request
from timetracer_otel.drivers.botocore.uploads import KEPT_MAX_BYTES, Upload
from timetracer_otel.wire.aws.chunks import ChunkReader

TRACE = {"DataType": "String", "StringValue": "00-1-2-01"}
UTC = datetime.timezone.utc


def asked(service: str, operation: str, upload: Upload | None = None, **params: Any) -> Question:
    return question(request(service, operation, "eu-west-1", snapshot(params), upload))


def key(found: Question) -> Any:
    """All that matching compares."""
    return found.shape, [(slot.path, slot.key) for slot in found.slots]


def same(one: Question, other: Question) -> bool:
    return bool(key(one) == key(other))


def invoked(payload: Any) -> Question:
    return asked("lambda", "Invoke", FunctionName="f", Payload=payload)


def fetched(*keys: dict[str, Any], **options: Any) -> Question:
    return asked("dynamodb", "BatchGetItem", RequestItems={"orders": {"Keys": list(keys), **options}})


A: dict[str, Any] = {"pk": {"S": "a"}, "sk": {"N": "1"}}
B: dict[str, Any] = {"pk": {"S": "b"}, "sk": {"N": "2"}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fetched(A, B), fetched(dict(reversed(B.items())), {**A, "sk": {"N": "1.0"}})),
        (invoked('{"a": 1, "b": [1, 2]}'), invoked(b'{"b":[1,2],"a":1}')),
        (invoked('{"a": 1}'), invoked('{"a": 1, "headers": {"traceparent": "00-1", "tracestate": "x"}}')),
        (invoked('{"headers": {"h": "1"}}'), invoked('{"headers": {"h": "1", "X-Amzn-Trace-Id": "r"}}')),
        (
            asked("sns", "Publish", Message='{"default": "d", "sqs": "s"}', MessageStructure="json"),
            asked("sns", "Publish", Message='{"sqs":"s","default":"d"}', MessageStructure="json"),
        ),
        (
            asked("sns", "Publish", Message="m", MessageAttributes={"traceparent": TRACE}),
            asked("sns", "Publish", Message="m"),
        ),
        (
            asked(
                "sqs", "SendMessageBatch", Entries=[{"Id": "1", "MessageAttributes": {"baggage": TRACE, "a": TRACE}}]
            ),
            asked("sqs", "SendMessageBatch", Entries=[{"Id": "1", "MessageAttributes": {"a": TRACE}}]),
        ),
        (
            asked("dynamodb", "PutItem", Item={"a": {"N": "1.50"}, "b": {"SS": ["x", "y"]}}),
            asked("dynamodb", "PutItem", Item={"b": {"SS": ["y", "x"]}, "a": {"N": "15E-1"}}),
        ),
        (
            asked("dynamodb", "PutItem", Item={"a": {"NS": ["1", "20"]}}),
            asked("dynamodb", "PutItem", Item={"a": {"NS": ["2E1", "1.0"]}}),
        ),
        (asked("s3", "PutObject", Body="text"), asked("s3", "PutObject", Body=bytearray(b"text"))),
        (
            asked("logs", "FilterLogEvents", startTime=datetime.datetime(2024, 1, 1, tzinfo=UTC)),
            asked(
                "logs",
                "FilterLogEvents",
                startTime=datetime.datetime(2024, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            ),
        ),
    ],
)
def test_r38_what_the_service_takes_for_the_same_is_the_same(one: Question, other: Question) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (fetched(A, B), fetched(A, {**B, "sk": {"N": "1"}})),
        (fetched(A, B), fetched(A)),
        (fetched(A, B), fetched(A, B, ConsistentRead=True)),
        (asked("dynamodb", "BatchWriteItem", x=[A, B]), asked("dynamodb", "BatchWriteItem", x=[B, A])),
        (invoked('{"a": 1}'), invoked('{"a": 1.0}')),
        (invoked('{"a": 1}'), invoked('{"a": "1"}')),
        (invoked('{"a": true}'), invoked('{"a": 1}')),
        (invoked('{"a": []}'), invoked('{"a": {}}')),
        (invoked('{"a": null}'), invoked("{}")),
        (invoked('{"a": 1, "a": 2}'), invoked('{"a": 2}')),
        (invoked('{"a": 0.1}'), invoked('{"a": 0.1000000000000000000001}')),
        (invoked('{"a.b": 1}'), invoked('{"a": {"b": 1}}')),
        (asked("sns", "Publish", Message='{"a":1}'), asked("sns", "Publish", Message='{"a": 1}')),
        (asked("sqs", "SendMessage", MessageBody='{"a":1}'), asked("sqs", "SendMessage", MessageBody='{"a": 1}')),
        (asked("dynamodb", "GetItem", Key={"a": {"N": "1"}}), asked("dynamodb", "GetItem", Key={"a": {"S": "1"}})),
        (asked("dynamodb", "GetItem", Key={"a": {"S": "1"}}), asked("dynamodb", "GetItem", Key={"a": {"S": "1.0"}})),
        (asked("dynamodb", "GetItem", Key={"a": {"N": "1"}}), asked("dynamodb", "GetItem", Key={"a": {"N": " 1"}})),
        (asked("dynamodb", "GetItem", Key={"a": {"N": "10"}}), asked("dynamodb", "GetItem", Key={"a": {"N": "1_0"}})),
        (asked("dynamodb", "PutItem", Item={"a": {"L": []}}), asked("dynamodb", "PutItem", Item={"a": {"M": {}}})),
        (asked("s3", "GetObject", Key="a"), asked("s3", "HeadObject", Key="a")),
        (asked("s3", "GetObject", Key="a"), asked("s3", "GetObject", Key="a", Range="bytes=0-1")),
        (asked("s3", "PutObject", Body=b"a"), asked("s3", "PutObject", Body=b"b")),
        (asked("s3", "PutObject", Body=b""), asked("s3", "PutObject")),
    ],
)
def test_r38_what_the_service_tells_apart_is_not_the_same(one: Question, other: Question) -> None:
    assert not same(one, other)


def sent(content: bytes, is_chunked: bool = False) -> Upload:
    upload = Upload(0, len(content), is_chunked)
    for at in range(0, len(content), 1000):
        upload.take(content[at : at + 1000])
    upload.take(b"")
    return upload


@pytest.mark.parametrize("size", [0, 10, KEPT_MAX_BYTES + 1])
def test_r39_a_stream_is_the_same_as_its_bytes(size: int) -> None:
    content = bytes(size)
    stream = question(request("s3", "PutObject", "r", {"Body": STREAM}, sent(content)))
    assert same(stream, asked("s3", "PutObject", Body=content))
    assert not same(stream, asked("s3", "PutObject", Body=content + b"x"))


def test_r39_a_stream_that_the_service_did_not_hear_out_is_compared_without_its_content() -> None:
    partly = Upload(0, 100)
    partly.take(b"the beginning")
    recorded = request("s3", "PutObject", "r", {"Body": STREAM, "Key": "k"}, partly)
    about = request("s3", "PutObject", "r", {"Body": STREAM, "Key": "k"}, sent(b"all of it"))
    assert not same(question(recorded), question(about))
    assert same(question(recorded), question({**about, "unsent": True}))


def test_r44_a_chunked_upload_is_the_same_as_its_content() -> None:
    chunked = b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n3\r\n yo\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"
    stream = question(request("s3", "PutObject", "r", {"Body": STREAM}, sent(chunked, is_chunked=True)))
    assert same(stream, asked("s3", "PutObject", Body=b"hello yo"))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.lists(st.integers(1, 20), max_size=30))
def test_r44_how_a_chunked_body_is_cut_does_not_matter(pieces: list[bytes], cuts: list[int]) -> None:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    reader, out, at = ChunkReader(), bytearray(), 0
    for cut in (*cuts, len(framed)):
        out += reader.feed(framed[at : at + cut])
        at += cut
    assert (bytes(out), reader.is_ended) == (b"".join(pieces), True)


def test_bytes_that_are_not_chunked_are_refused() -> None:
    with pytest.raises(ValueError, match="no hexadecimal length"):
        ChunkReader().feed(b"plain text\n")


def names(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1, max_size=5), inner, max_size=3)


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | names(inner), max_leaves=8)


@given(names(values), names(values))
def test_never_lies_two_calls_are_the_same_only_if_their_parameters_are(one: Any, other: Any) -> None:
    def bare(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bare(each) for name, each in value.items()}
        if isinstance(value, list):
            return [bare(each) for each in value]
        return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else (type(value).__name__, value)

    def plainly(value: Any) -> Any:
        return json.dumps(bare(value), sort_keys=True, default=repr)

    is_same = plainly(one) == plainly(other)
    assert same(asked("ec2", "Run", **{"Params": one}), asked("ec2", "Run", **{"Params": other})) == is_same


@given(values)
def test_a_snapshot_does_not_change_with_what_it_was_taken_of(value: Any) -> None:
    taken = snapshot({"p": value})
    before = repr(plain(taken))
    if isinstance(value, (list, dict)):
        value.clear()
    assert repr(plain(taken)) == before


def test_the_members_of_a_question_are_named_as_the_report_names_them() -> None:
    found = asked("dynamodb", "GetItem", TableName="t", Key={"id": {"S": "1"}})
    assert [slot.path for slot in found.slots] == ["params.Key.id.S", "params.TableName"]
    assert [json.dumps(slot.shown) for slot in found.slots] == ['"1"', '"t"']
