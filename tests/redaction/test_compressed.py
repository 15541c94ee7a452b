"""R46: values that are compressed, of which no header speaks."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import pytest
import zstandard

from timetracer_otel.redaction import Redactor, bodies, find_markers

Pack: TypeAlias = Callable[[bytes], bytes]
SECRET: Final = b"kT4nary0Zx81Qw"
CODINGS: Final[Mapping[str, tuple[Pack, Pack]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "zlib": (zlib.compress, zlib.decompress),
    "zlib 9": (lambda data: zlib.compress(data, 9), zlib.decompress),
    "zstd": (zstandard.compress, zstandard.decompress),
}
DOCUMENTS: Final = (
    json.dumps({"user": {"password": SECRET.decode()}, "api_key": [SECRET.decode()], "page": 7}).encode(),
    b"first line\npage=7&token=" + SECRET,
    b"\x80\x04\x95page 7\0" * 9 + b" password=" + SECRET + b"\n",
)
WAYS: Final[Mapping[str, Callable[[Redactor, bytes], object]]] = {
    "data": lambda redactor, data: redactor.data(data),
    "value": lambda redactor, data: redactor.value(data, "x")[0],
    "inner value": lambda redactor, data: redactor.value({"a": "b", "c": [data]}, "x")[0]["c"][0],  # type: ignore[index, call-overload]  # Value
    "body": lambda redactor, data: redactor.body(data, "application/octet-stream", "", "b")[0],
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("way", WAYS)
def test_r46_what_is_compressed_is_masked_inside_and_can_be_unpacked(coding: str, way: str) -> None:
    redactor, (pack, unpack), mask = Redactor(b"key"), CODINGS[coding], WAYS[way]
    for document in DOCUMENTS:
        masked = mask(redactor, pack(document))
        assert isinstance(masked, bytes)
        plain = unpack(masked)
        assert SECRET not in plain
        assert find_markers(plain.decode("latin-1"))
        assert b"page" in plain
        assert mask(Redactor(b"other"), masked) is masked


@pytest.mark.parametrize("coding", CODINGS)
def test_a_secret_of_the_trace_is_known_in_what_is_compressed(coding: str) -> None:
    pack, unpack = CODINGS[coding]
    redactor = Redactor(b"key").of_trace()
    redactor.value({"password": (SECRET * 2).decode()}, "")
    assert SECRET not in unpack(redactor.data(pack(b"so " + SECRET * 2)))


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_compressed_without_a_secret_stays_the_same_object(coding: str, way: str) -> None:
    for document in (b'{"page": 7, "name": "ann"}' * 50, b"", random.Random(1).randbytes(2000)):
        data = CODINGS[coding][0](document)
        assert WAYS[way](Redactor(), data) is data


@pytest.mark.parametrize("coding", CODINGS)
def test_one_look_at_joined_data_sees_what_is_compressed_in_it(coding: str) -> None:
    """Behind a length of Redis, a subtype of BSON, a length of PostgreSQL, another value; in large data too."""
    redactor, data = Redactor(), CODINGS[coding][0](DOCUMENTS[0])
    size = len(data)
    for before in (
        b"",
        b"$%d\r\n" % size,
        b"\x05doc\0%b\0" % size.to_bytes(4, "little"),
        size.to_bytes(4, "big"),
        b"a\0",
    ):
        for padding in (b"", b"plain " * 3, b"plain " * 50_000):
            joined = (padding and padding + b"\0\0\0") + before + data + padding
            assert redactor.suspicious(joined), (before, len(padding))
            assert redactor.shaped(joined)
            assert not redactor.nothing_in(joined)


@pytest.mark.parametrize("coding", CODINGS)
def test_what_cannot_be_unpacked_stays(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, _ = CODINGS[coding]
    damaged = pack(b"x")[:3] + b"\xff" * 50
    bomb = pack(b"plain " * 20_000)
    monkeypatch.setattr(bodies, "ARCHIVE_MAX_BYTES", 10_000)
    for data in (damaged, bomb, pack(b"x")[:2]):
        for mask in WAYS.values():
            assert mask(Redactor(), data) is data


def test_a_secret_beside_what_cannot_be_unpacked_is_masked() -> None:
    for magic in (b"\x1f\x8b\x08", b"x\x9c", b"x\xda", b"\x28\xb5\x2f\xfd"):
        masked = Redactor().data(magic + b" password=" + SECRET)
        assert SECRET not in masked
        assert masked.startswith(magic)


def test_other_binary_data_is_not_taken_for_compressed() -> None:
    """A zlib header is two bytes: they stand in any picture."""
    data = random.Random(2).randbytes(500_000)
    assert b"x\x9c" in data
    for each in (data, data[:100_000], "xÚ größer".encode(), b"x^2 + x\x01", "ein Maß \x1f für ý".encode()):
        assert not Redactor().suspicious(each)
        assert not Redactor().shaped(each)
