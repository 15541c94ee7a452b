from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, query
from tests.cassette.strategies import exchanges, value_or_blob
from timetracer_otel.cassette import (
    Blob,
    Exchange,
    Part,
    Value,
    as_json,
    dump_environment,
    dump_exchange,
    dump_part,
    load_bundle,
    load_environment,
    load_part,
    merge,
)
from timetracer_otel.cassette import dump as dumping
from timetracer_otel.cassette.blobs import BINARY_MAX_BYTES, INLINE_MAX_BYTES, beside
from timetracer_otel.cassette.values import MAX_DEPTH, decode, dumps, encode
from timetracer_otel.errors import DamagedCassette, Unconvertible

SHA256 = "ab" * 32
BLOB = Blob(SHA256, 3, 5)
MARK = {"$blob": {"sha256": SHA256, "offset": 3, "size": 5}}


class Shelf:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def put(self, pieces: Sequence[bytes]) -> str:
        sha256 = hashlib.sha256(data := b"".join(pieces)).hexdigest()
        self.contents[sha256] = data
        return sha256

    def get(self, blob: Blob) -> bytes:
        return self.contents[blob.sha256][blob.offset : blob.offset + blob.size]


@contextmanager
def inline_up_to(max_bytes: int) -> Iterator[None]:
    with patch.object(dumping, "INLINE_MAX_BYTES", max_bytes):
        yield


def read_back(text: bytes, shelf: Shelf | None) -> Exchange:
    part = load_part(dump_part(ROOT_PART, [text]), "p", shelf.get if shelf else None)
    return part.exchanges[0]


@given(value_or_blob)
def test_a_blob_in_a_value_survives_where_nobody_resolves_it(value: Value) -> None:
    assert repr(decode(orjson.loads(dumps(value)))) == repr(value)
    assert encode(BLOB) == MARK


def test_a_blob_becomes_its_bytes_where_somebody_does() -> None:
    assert decode({"body": [[7, MARK]]}, resolve=lambda blob: b"bytes" if blob == BLOB else b"") == {
        "body": [[7, b"bytes"]]
    }


@pytest.mark.parametrize(
    "content",
    [
        None,
        SHA256,
        [SHA256, 3, 5],
        {},
        {"sha256": SHA256, "size": 5},
        {"sha256": SHA256, "offset": 3, "size": 5, "path": "/etc/passwd"},
        {"sha256": SHA256.upper(), "offset": 3, "size": 5},
        {"sha256": "../" * 21 + "a", "offset": 3, "size": 5},
        {"sha256": SHA256 + "\n", "offset": 3, "size": 5},
        {"sha256": SHA256, "offset": -1, "size": 5},
        {"sha256": SHA256, "offset": True, "size": 5},
        {"sha256": SHA256, "offset": 0, "size": 2**63},
        {"sha256": SHA256, "offset": 0.0, "size": 5},
    ],
)
def test_a_mark_that_is_no_blob_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match=r"\$blob"):
        decode({"$blob": content})
    with pytest.raises(ValueError, match="mixes"):
        decode({"$blob": MARK["$blob"], "other": content})


@pytest.mark.parametrize("blob", [Blob("ab", 0, 1), Blob(SHA256, -1, 1), Blob(SHA256, 0, 2**63)])
def test_a_blob_that_could_not_be_read_is_not_written(blob: Blob) -> None:
    with pytest.raises(Unconvertible, match=r"\$blob"):
        dumps(blob)
    with pytest.raises(Unconvertible, match=r"\$blob"):
        dump_exchange(replace(query(1), request={"body": blob}))


@given(exchanges)
def test_any_exchange_survives_with_its_payloads_beside_it(exchange: Exchange) -> None:
    shelf = Shelf()
    with inline_up_to(0):
        text = dump_exchange(exchange, put=shelf.put)
    assert text.count(b'"$payload"') >= 2
    assert repr(read_back(text, shelf)) == repr(exchange)
    assert repr(read_back(text, None)) == repr(replace(exchange, request={}, result={}))
    assert repr(read_back(dump_exchange(exchange), None)) == repr(exchange)


@pytest.mark.parametrize("is_plain", [False, True])
def test_each_payload_is_measured_by_itself(is_plain: bool) -> None:
    shelf, around = Shelf(), len(b'{"values":""}')
    fits, over = "x" * (INLINE_MAX_BYTES - around), "x" * (INLINE_MAX_BYTES - around + 1)
    both_fit = replace(query(1), request={"values": fits}, result={"values": fits})
    assert dump_exchange(both_fit, is_plain, shelf.put) == dump_exchange(both_fit, is_plain)
    assert shelf.contents == {}
    one_is_over = replace(both_fit, result={"values": over})
    text = dump_exchange(one_is_over, is_plain, shelf.put)
    (stored,) = shelf.contents
    document = orjson.loads(text)
    assert document["result"] == {"$payload": {"sha256": stored, "size": INLINE_MAX_BYTES + 1}}
    assert document["request"] == {"values": fits}
    assert read_back(text, shelf) == one_is_over


@pytest.mark.parametrize("is_plain", [False, True])
def test_a_large_payload_beside_a_name_that_json_cannot_carry(is_plain: bool) -> None:
    shelf = Shelf()
    exchange = replace(query(1), target="\ud800", result={"values": "x" * INLINE_MAX_BYTES})
    assert read_back(dump_exchange(exchange, is_plain, shelf.put), shelf) == exchange
    assert len(shelf.contents) == 1


def test_a_payload_beside_may_name_blobs_but_no_further_payload() -> None:
    shelf = Shelf()
    body = Blob(shelf.put((b"0123456789",)), 2, 5)
    with inline_up_to(0):
        text = dump_exchange(replace(query(1), request={"body": body}), put=shelf.put)
    assert read_back(text, shelf).request == {"body": b"23456"}
    document = orjson.loads(text)
    for inner in ({"$payload": document["request"]["$payload"]}, {"body": document["request"]}):
        data = orjson.dumps(inner)
        document["request"] = {"$payload": {"sha256": shelf.put((data,)), "size": len(data)}}
        with pytest.raises(DamagedCassette, match=r"\$payload"):
            read_back(orjson.dumps(document), shelf)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"{", "a payload that lies beside it is not JSON"),
        (b"[]", r"exchanges\[0\]\.request is a list, not an object"),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "nested too deep"),
    ],
)
def test_a_payload_beside_that_is_none_is_said_of_the_file(data: bytes, problem: str) -> None:
    shelf = Shelf()
    document = orjson.loads(dump_exchange(query(1)))
    document["request"] = {"$payload": {"sha256": shelf.put((data,)), "size": len(data)}}
    with pytest.raises(DamagedCassette, match=problem) as caught:
        read_back(orjson.dumps(document), shelf)
    assert caught.value.path == "p"


def test_the_deepest_payload_that_is_written_beside_is_read() -> None:
    shelf = Shelf()
    deepest: Value = 1
    for _ in range(MAX_DEPTH - 2):
        deepest = [deepest]
    exchange = replace(query(1), result={"value": deepest})
    with inline_up_to(0):
        assert read_back(dump_exchange(exchange, put=shelf.put), shelf) == exchange


@pytest.mark.parametrize("content", [None, {}, {"sha256": SHA256}, {"sha256": SHA256, "size": -1}])
def test_a_mark_that_is_no_payload_is_refused(content: object) -> None:
    document = orjson.loads(dump_exchange(query(1)))
    document["result"] = {"$payload": content}
    with pytest.raises(DamagedCassette, match=r"\$payload"):
        read_back(orjson.dumps(document), None)


def test_a_payload_beside_stands_nowhere_but_for_a_request_or_a_result() -> None:
    mark = {"$payload": {"sha256": SHA256, "size": 1}}
    document = orjson.loads(dump_part(ROOT_PART))
    for changed in ({**document, "resource": mark}, {**document, "exchanges": [mark]}):
        with pytest.raises(DamagedCassette, match=r"\$payload"):
            load_part(orjson.dumps(changed), "p", Shelf().get)


def test_blobs_of_an_environment_are_resolved_too() -> None:
    shelf = Shelf()
    exchange = replace(query(0), result={"rows": Blob(shelf.put((b"abc",)), 0, 3)})
    with inline_up_to(0):
        text = dump_exchange(exchange, put=shelf.put)
    loaded = load_environment(dump_environment(ENVIRONMENT_PART, [text]), "p", shelf.get)
    assert loaded.exchanges == (replace(exchange, result={"rows": b"abc"}),)


def test_a_bundle_that_names_a_blob_is_refused() -> None:
    part: Part = replace(ROOT_PART, exchanges=(replace(query(1), request={"body": BLOB}),))
    with pytest.raises(DamagedCassette, match="a bundle holds all that it needs, and this one names the blob abab"):
        load_bundle(orjson.dumps(as_json(merge(part.trace_id, [part]))), "b")


def test_large_binary_data_goes_beside_and_text_stays() -> None:
    shelf: list[bytes] = []

    def put(pieces: Sequence[bytes]) -> str:
        shelf.append(data := b"".join(pieces))
        return hashlib.sha256(data).hexdigest()

    binary, text = b"\xff" * (BINARY_MAX_BYTES + 1), "é".encode() * BINARY_MAX_BYTES
    late = b"a" * BINARY_MAX_BYTES + b"\xff"
    rest: dict[str, Value] = {"b": text, "d": ["x" * BINARY_MAX_BYTES * 2, 1, None]}
    value: Value = {"a": [binary, rest], "c": (late, binary[1:])}
    binary_blob, late_blob = (Blob(hashlib.sha256(data).hexdigest(), 0, len(data)) for data in (binary, late))
    assert beside(value, put) == {"a": [binary_blob, rest], "c": [late_blob, binary[1:]]}
    assert shelf == [binary, late]
