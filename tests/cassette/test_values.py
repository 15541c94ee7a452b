from __future__ import annotations

import json
import math
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.strategies import any_value
from timetracer_otel.cassette.model import Value
from timetracer_otel.cassette.values import MAX_DEPTH, decode, dumps, encode
from timetracer_otel.errors import Unconvertible


class Color(str, Enum):
    RED = "red"


class Number(IntEnum):
    TWO = 2


@given(any_value)
def test_a_value_survives_the_trip_through_json_text(value: Value) -> None:
    assert repr(decode(orjson.loads(dumps(value)))) == repr(value)


@given(any_value)
def test_what_encode_gives_is_written_exactly_by_any_json_writer(value: Value) -> None:
    text = json.dumps(encode(value), allow_nan=False)
    assert repr(decode(json.loads(text))) == repr(value)
    assert orjson.loads(orjson.dumps(encode(value))) == encode(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, b"-0.0"),
        (1.0, b"1.0"),
        (2**64 - 1, b"18446744073709551615"),
        (2**64, b'{"$int":"0x10000000000000000"}'),
        (-(2**64), b'{"$int":"-0x10000000000000000"}'),
        (math.nan, b'{"$float":"NaN"}'),
        (-math.inf, b'{"$float":"-Infinity"}'),
        ("\ud800", b'{"$str":"7aCA"}'),
        (b"caf\xc3\xa9", '{"$text":"café"}'.encode()),
        (b"caf\xe9", b'{"$b64":"Y2Fm6Q=="}'),
        (bytearray(b"a"), b'{"$text":"a"}'),
        (memoryview(b"a"), b'{"$text":"a"}'),
        ((1, "a"), b'[1,"a"]'),
        ({"$set": {"a": 1}}, b'{"$map":[["$set",{"a":1}]]}'),
        ({"\ud800": 1}, b'{"$map":[[{"$str":"7aCA"},1]]}'),
        (MappingProxyType({"a": [1]}), b'{"a":[1]}'),
        (Color.RED, b'"red"'),
        ({Color.RED: Number.TWO}, b'{"$map":[["red",2]]}'),
    ],
)
def test_the_text_of_a_value_is(value: Value, text: bytes) -> None:
    assert dumps(value) == text


def test_two_lone_surrogates_side_by_side_do_not_become_one_character() -> None:
    assert decode(orjson.loads(dumps("\ud83d\ude00"))) == "\ud83d\ude00"


def test_numbers_that_are_equal_keep_their_types() -> None:
    assert repr(decode(orjson.loads(dumps([1, 1.0, True, 0, -0.0, False])))) == "[1, 1.0, True, 0, -0.0, False]"


def test_a_column_of_texts_is_not_copied() -> None:
    column = ["a", None, "b"]
    encoded = encode({"values": [[1.5], [None, True]]})
    assert encode([None]) == [None]
    assert encoded == {"values": [[1.5], [None, True]]}
    plain: list[Value] = [None, True]
    assert encode(plain) is plain
    assert orjson.loads(dumps([column])) == [column]


@pytest.mark.parametrize("value", [object(), {1: "a"}, {b"a": 1}, {"a", "b"}, 1j, [{"a": object()}], range(3)])
def test_what_is_no_value_is_unconvertible(value: Value) -> None:
    with pytest.raises(Unconvertible):
        dumps(value)
    with pytest.raises(Unconvertible):
        encode(value)


def test_an_unconvertible_value_is_named_by_its_type() -> None:
    with pytest.raises(Unconvertible, match="a value of type decimal\\.Decimal"):
        dumps({"total": Decimal("1.5")})  # type: ignore[dict-item]  # what is to be refused


def nested(levels: int, key: str = "") -> Value:
    value: Value = 1
    for _ in range(levels):
        value = {key: value} if key else [value]
    return value


@pytest.mark.parametrize("key", ["", "a"])
def test_a_value_may_be_nested_to_the_limit_and_no_deeper(key: str) -> None:
    deepest = nested(MAX_DEPTH, key)
    assert decode(orjson.loads(dumps(deepest))) == deepest
    with pytest.raises(Unconvertible, match="nested deeper than 200"):
        dumps(nested(MAX_DEPTH + 1, key))
    with pytest.raises(ValueError, match="nested too deep"):
        decode(nested(MAX_DEPTH + 1, key))


def test_marked_mappings_count_the_levels_that_they_take_in_json() -> None:
    deepest = nested(MAX_DEPTH // 3, "$set")
    assert decode(orjson.loads(dumps(deepest))) == deepest
    with pytest.raises(Unconvertible, match="nested deeper"):
        dumps(nested(MAX_DEPTH // 3 + 1, "$set"))
    with pytest.raises(ValueError, match="nested too deep"):
        decode(json.loads('{"$map":[["a",' * 70 + "1" + "]]}" * 70))


@pytest.mark.parametrize(
    "text",
    [
        '{"$new": "a"}',
        '{"$text": "a", "b": 1}',
        '{"b": 1, "$text": "a"}',
        '{"$text": 1}',
        '{"$b64": "?"}',
        '{"$b64": "YQ"}',
        '{"$str": "_w=="}',
        '{"$str": "/w=="}',
        '{"$int": "12"}',
        '{"$int": "0x_1"}',
        '{"$int": "0x"}',
        '{"$float": "nan"}',
        '{"$float": "1.5"}',
        '{"$map": 1}',
        '{"$map": [1]}',
        '{"$map": [["a"]]}',
        '{"$map": [[1, 1]]}',
    ],
)
def test_json_that_encode_does_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        decode(json.loads(text))


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.sampled_from(["$map", "$b64", "$int", "a"]), children),
)


@given(json_data)
def test_any_json_gives_a_value_or_a_value_error(data: object) -> None:
    try:
        value = decode(data)
    except ValueError:
        return
    assert repr(decode(encode(value))) == repr(value)
