from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction import codings
from timetracer_otel.redaction.codings import Undecodable, codings_of, decode, encode


@given(st.binary(min_size=1), st.lists(st.sampled_from(["gzip", "x-gzip", "deflate", "zstd"]), max_size=3))
def test_codings_are_undone_in_reverse(data: bytes, names: list[str]) -> None:
    applied = codings_of(", ".join(["identity", *names]))
    assert decode(encode(data, applied), applied) == data


def test_a_deflate_without_its_header_is_undone() -> None:
    sender = zlib.compressobj(wbits=-15)
    assert decode(sender.compress(b"abc" * 100) + sender.flush(), ("deflate",)) == b"abc" * 100


def test_gzip_members_one_after_another_are_one_body() -> None:
    assert decode(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", ("gzip",)) == b"ab"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_of_a_body_that_is_cut_off_what_came_is_given(coding: str) -> None:
    whole = b"".join(b"%d," % i for i in range(100_000))
    decoded = decode(encode(whole, (coding,))[:-1000], (coding,))
    assert decoded
    assert whole.startswith(decoded)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("data", [b'{"a":1}', b"", b"\x00\xff", b"a=b&password=c"])
def test_a_body_that_was_never_coded_so_is_told(coding: str, data: bytes) -> None:
    assert decode(data, (coding,)) is None


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_not_unpacked(coding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "DECODED_MAX_BYTES", 100_000)
    with pytest.raises(Undecodable):
        decode(encode(b"\0" * 100_001, (coding,)), (coding,))
    assert decode(encode(b"\0" * 100_000, (coding,)), (coding,)) == b"\0" * 100_000


def test_an_unknown_coding_is_told() -> None:
    with pytest.raises(Undecodable, match="br"):
        decode(b"x", codings_of("gzip, BR"))


@given(st.binary(), st.sampled_from(["gzip", "deflate", "zstd"]))
def test_any_bytes_give_bytes_or_none_or_are_undecodable(data: bytes, coding: str) -> None:
    try:
        decoded = decode(data, (coding,))
    except Undecodable:
        return
    assert decoded is None or decoded


WHOLE = b"".join(b"%d," % i for i in range(10_000))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_body_whose_check_is_wrong_is_undecodable(coding: str) -> None:
    data = encode(WHOLE, (coding,))
    with pytest.raises(Undecodable):
        decode(data[:-1] + bytes([255 - data[-1]]), (coding,))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_body_with_something_behind_its_end_is_undecodable(coding: str) -> None:
    with pytest.raises(Undecodable):
        decode(encode(WHOLE, (coding,)) + b"password=C4nary", (coding,))


def test_a_deflate_without_its_header_that_is_cut_off_is_undecodable() -> None:
    sender = zlib.compressobj(wbits=-15)
    data = sender.compress(WHOLE) + sender.flush()
    for broken in (data[:-10], data + b"x"):
        with pytest.raises(Undecodable):
            decode(broken, ("deflate",))
