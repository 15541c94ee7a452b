from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timetracer_otel.config import KIB, MIB
from timetracer_otel.redaction import Redactor, Scrubber, load_rules
from timetracer_otel.redaction.stream import OVERLAP_BYTES, WINDOW_BYTES

KEY = b"key"
CANARY = b"C4naryC4naryC4nary"
SECRETS = (
    b"password=" + CANARY,
    b'"api_key": "' + CANARY + b'"',
    b"postgresql://app:" + CANARY + b"@db/shop",
    b"Bearer " + CANARY,
    b"-----BEGIN RSA PRIVATE KEY-----\n" + CANARY + b"\n-----END RSA PRIVATE KEY-----",
    b"<Token>" + CANARY + b"</Token>",
    b"AKIAIOSFODNN7EXAMPLE",
)
FILLERS = (b" ", b"lorem ipsum, ", b"x=1&y=2\n", b"\0\xff\x80\x00", b"\0pwd token ")


def through(scrubber: Scrubber, pieces: Sequence[bytes]) -> bytes:
    return b"".join([*map(scrubber.feed, pieces), scrubber.end()])


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Secrets in filler, mostly near the places where a window ends."""
    data, size = bytearray(), draw(st.integers(0, 3 * WINDOW_BYTES))
    while len(data) < size:
        filler = draw(st.sampled_from(FILLERS))
        gap = draw(st.integers(0, 50) | st.integers(WINDOW_BYTES - 2 * OVERLAP_BYTES, WINDOW_BYTES))
        data += filler * (gap // len(filler) + 1)
        data += draw(st.sampled_from(SECRETS)) + b"\n"
    return bytes(data)


@settings(max_examples=20, deadline=None)
@given(bodies(), st.lists(st.integers(0, 4 * WINDOW_BYTES), max_size=12))
def test_the_cuts_of_the_data_make_no_difference_and_no_secret_gets_through(data: bytes, cuts: list[int]) -> None:
    redactor = Redactor(KEY)
    whole = through(redactor.stream(), [data])
    assert through(redactor.stream(), cut(data, cuts)) == whole
    assert whole == redactor.data(data)
    assert CANARY not in whole


@given(st.lists(st.binary(max_size=40) | st.sampled_from(SECRETS), max_size=8), st.lists(st.integers(0, 500)))
def test_short_data_comes_out_as_it_would_in_one_piece(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    assert through(Redactor(KEY).stream(), cut(data, cuts)) == Redactor(KEY).data(data)


@pytest.mark.parametrize("offset", range(-40, 41, 5))
def test_a_secret_across_the_end_of_a_window_is_masked(offset: int) -> None:
    data = b"." * (WINDOW_BYTES - OVERLAP_BYTES + offset) + b" token=" + CANARY + b" " + b"." * WINDOW_BYTES
    assert through(Redactor(KEY).stream(), [data]) == Redactor(KEY).data(data)


def test_a_secret_of_the_trace_is_masked_wherever_it_stands() -> None:
    redactor = Redactor(KEY).of_trace()
    redactor.headers([[b"cookie", b"sid=" + CANARY]], "headers")
    data = b"\0" * (WINDOW_BYTES - 5) + CANARY + b"\xff" * WINDOW_BYTES
    masked = through(redactor.stream(), [data])
    assert masked == data.replace(CANARY, redactor.marker("cookie", CANARY).encode())


def test_a_key_that_is_longer_than_any_window_is_swallowed_to_its_end() -> None:
    key = b"-----BEGIN PRIVATE KEY-----\n" + b"MIIEC4nary\n" * 200_000 + b"-----END PRIVATE KEY-----"
    masked = through(Redactor(KEY).stream(), cut(b"before\n" + key + b"\nafter", range(0, 3 * MIB, 100_001)))
    assert re.fullmatch(rb"before\n\[redacted:private_key#[0-9a-f]{6}\]\nafter", masked)


def test_a_quoted_secret_that_never_ends_takes_the_rest_as_in_one_piece() -> None:
    masked = through(Redactor(KEY).stream(), [b"password = '" + b"C4nary " * 100_000])
    assert re.fullmatch(rb"password = '\[redacted:password#[0-9a-f]{6}\]", masked)


def test_secrets_without_a_gap_between_them_all_go() -> None:
    masked = through(Redactor(KEY).stream(), [b"token=C4nary;" * 20_000])
    assert b"C4nary" not in masked


def test_what_is_held_back_is_bounded() -> None:
    scrubber, out = Redactor(KEY).stream(), 0
    for size in range(64):
        out += len(scrubber.feed(b"-----BEGIN PRIVATE KEY-----" if size == 0 else b"A" * 64 * KIB))
        assert len(scrubber._held) <= WINDOW_BYTES
    assert out == 0
    assert len(scrubber.end()) < 100


def test_binary_data_passes_unchanged() -> None:
    data = Random(4).randbytes(4 * MIB)
    assert through(Redactor(KEY).stream(), [data]) == data


def test_text_inside_binary_data_is_seen_by_further_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text("presets = ['pii']\n[[patterns]]\nname = 'customer'\nregex = 'K-[0-9]{6}'\n")
    redactor = Redactor(KEY, load_rules(str(tmp_path / "rules.toml")))
    noise = b"\0\x01\x02" * 30_000
    masked = through(redactor.stream(), [noise + b"ann@example.org" + noise * 2 + b"no K-123456!" + noise])
    assert b"ann@" not in masked
    assert b"123456" not in masked
    assert masked.startswith(noise)
    assert masked.endswith(noise)
