from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.strategies import any_value
from timetracer_otel.cassette import Value, allowance
from timetracer_otel.cassette.allowance import MEMORY_MAX_BYTES, Allowance
from timetracer_otel.cassette.values import dumps
from timetracer_otel.config import MIB

UNITS: Final = {
    "lists": "[],",
    "mappings": "{},",
    "mappings of one": '{"a":1},',
    "mappings of two": '{"a":1,"b":2},',
    "floats": "1.5,",
    "integers": "257,",
    "digits": "1,",
    "texts": '"ab",',
    "empty texts": '"",',
    "bytes": '{"$text":"a"},',
    "more bytes": '{"$b64":"AAAAKg=="},',
    "columns of bytes": '[{"$b64":"AAAAKg=="},{"$b64":"AAAAKw=="},{"$b64":"AAAALA=="}],',
    "huge integers": '{"$int":"0x10000000000000000"},',
    "floats in words": '{"$float":"NaN"},',
    "blobs": '{"$blob":{"sha256":"' + "ab" * 32 + '","offset":1000,"size":1000}},',
    "pairs": '{"$map":[["$",1]]},',
    "lists in lists": "[[1]],",
    "deep lists": "[" * 50 + "1" + "]" * 50 + ",",
    "lists of bytes": '[{"$text":""}],',
    "wide text": '"😀' + "x" * 60_000 + '",',
    "escaped wide text": '"\\ud83d\\ude00' + "x" * 60_000 + '",',
    "half wide text": '"\u0100' + "x" * 60_000 + '",',
}

MEASURE: Final = """
import resource, sys
import orjson
from timetracer_otel.cassette import values
unit = sys.argv[1].encode()
values.decode(orjson.loads(b'[{"$text":"a"}]'))
text = b"[" + unit * (2 * 1024 * 1024 // len(unit)) + b"1]"
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
decoded = values.decode(orjson.loads(text), 210)
print(peak() - before)
"""


def outside_strings(text: bytes) -> allowance._Counts:
    *_, total = allowance._counts_outside_strings(text)
    return total


def told(text: bytes) -> int:
    return allowance._bytes_of(len(text), allowance._width(text), outside_strings(text))


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB there")
@pytest.mark.parametrize("kind", UNITS)
def test_reading_takes_no_more_memory_than_was_told(kind: str) -> None:
    unit = UNITS[kind]
    ran = subprocess.run([sys.executable, "-c", MEASURE, unit], capture_output=True, text=True, check=True, timeout=60)
    size = len(unit.encode())
    assert int(ran.stdout) <= told(b"[" + unit.encode() * (2 * MIB // size) + b"1]")


@given(any_value)
def test_it_is_told_exactly_or_too_high_but_never_too_low(value: Value) -> None:
    text = dumps(value)
    quick = allowance._bytes_of(len(text), allowance._width(text), allowance._count(text))
    assert len(text) <= told(text) <= quick


@given(st.lists(st.sampled_from(["\\", '"', "a", "[", ",", "é"]), max_size=40), st.integers(1, 9))
def test_what_stands_in_strings_does_not_count_wherever_the_text_is_cut(letters: list[str], chunk: int) -> None:
    text = dumps(["".join(letters), {"a": 1}])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allowance, "_CHUNK", chunk)
        assert outside_strings(text) == (1, 1, 1, 1, 4, 0)


ROW: Final = b'["8d3f2a10-5c1e-4b7a-9f00-1a2b3c4d5e6f","12.50","1",null,"2026-11-25 21:23:59+00","paid"],'
BODY: Final = rb'"{\"order\": {\"id\": 43, \"total\": [1, 2, {}], \"note\": \"\"}}",'


@pytest.mark.parametrize("unit", [ROW, BODY, b'"12.50",'], ids=["rows", "JSON in bodies", "small cells"])
def test_a_trace_of_256_mib_may_be_read(unit: bytes) -> None:
    a_quarter = Allowance(MEMORY_MAX_BYTES // 4)  # so that the test takes a quarter of the time
    a_quarter.take(b"[" + unit * (64 * MIB // len(unit)) + b"1]")


def test_files_of_one_cassette_share_what_they_may_take() -> None:
    text = b"[" + b"[]," * 20_000 + b"1]"
    shared = Allowance(told(text) * 5 // 2)
    shared.take(text)
    shared.take(text)
    with pytest.raises(ValueError, match=r"reading it takes more than \d+ MiB of memory"):
        shared.take(text)


def test_the_largest_answer_of_small_binary_values_may_be_read() -> None:
    """64 MiB on the wire, four bytes and their length for each of 8 million numbers."""
    Allowance().take(b"[" + b'{"$b64":"AAAAKg=="},' * 8_000_000 + b"1]")
