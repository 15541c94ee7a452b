"""Keys of parameters as psycopg sends them, in text and in binary."""

from __future__ import annotations

import datetime as dt
import ipaddress
import uuid
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.json import Json, Jsonb
from psycopg.types.range import Range

from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.values import canonical, instant_ns, shown

BERLIN = dt.timezone(dt.timedelta(hours=2))
MOMENT = dt.datetime(2024, 7, 1, 12, 0, 0, 250_000, BERLIN)
OBJECTS: list[Any] = [
    *[0, 1, -7, 40_000, 3_000_000_000, -(2**63)],
    *[True, False, "x", "", "é", "1", b"", b"\x00\xff\\", 1.0, -0.0, 0.1, 1e300, float("nan"), float("inf")],
    *[Decimal("1.10"), Decimal("1E+2"), Decimal("1E-7"), Decimal("-0.00"), Decimal("NaN"), Decimal(10) ** 60],
    *[dt.date(2024, 2, 29), dt.date(1, 1, 1), dt.time(1, 2, 3, 400), dt.time(1, 2, tzinfo=BERLIN)],
    *[MOMENT, MOMENT.replace(tzinfo=None), dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, tzinfo=dt.timezone.utc)],
    *[
        dt.timedelta(days=-1, seconds=5),
        dt.timedelta(0),
        dt.timedelta(days=400, microseconds=1),
        dt.timedelta(hours=-1),
    ],
    *[uuid.UUID(int=10), Json({"b": [1, 2.50, None], "a": True}), Jsonb({"b": "é", "a": {}}), Jsonb([1])],
    *[ipaddress.ip_address("10.0.0.1"), ipaddress.ip_interface("10.0.0.1/24"), ipaddress.ip_network("2001:db8::/32")],
    *[
        [1, 2],
        [1, None],
        [[1, 2], [3, 4]],
        [True],
        [1.5],
        [Decimal("1.10")],
        [MOMENT],
        [b"\x00"],
    ],
    *[[uuid.UUID(int=1)], [dt.date(2024, 1, 1)], Range(1, 10), Range(None, 5, "(]"), Range(Decimal("1.5"), None)],
    *[Range(dt.date(2024, 1, 1), dt.date(2024, 2, 1)), Range(MOMENT, None), Range(MOMENT.replace(tzinfo=None), None)],
]


def key(value: object, form: PyFormat, connection: psycopg.Connection | None = None) -> Hashable:
    """What psycopg sends for `value`, as it is compared."""
    transformer = Transformer(connection)
    (raw,) = transformer.dump_sequence([value], [form])
    (oid,), (fmt,) = transformer.types or (0,), transformer.formats or (0,)
    return canonical(oid, int(fmt), None if raw is None else bytes(raw))


@pytest.mark.parametrize("value", OBJECTS, ids=repr)
def test_the_format_in_which_a_value_is_sent_does_not_count(value: object, connection: psycopg.Connection) -> None:
    """On a connection: without one, libpq escapes bytes as the last connection of the process would have them."""
    text, binary = key(value, PyFormat.TEXT, connection), key(value, PyFormat.BINARY, connection)
    assert text == binary
    assert not (isinstance(text, tuple) and text[0] == "bytes")


def test_a_list_of_str_is_untyped_in_text_and_so_a_text() -> None:
    assert key(["a", None], PyFormat.TEXT) == ("text", b"{a,NULL}")
    assert key(["a", None], PyFormat.BINARY) == canonical(1009, 0, b"{a,NULL}")


def test_different_values_have_different_keys() -> None:
    keys = [key(value, PyFormat.TEXT) for value in [*OBJECTS, None, "None", [None], Json([1]), "2024-02-29", [], "NaN"]]
    assert len(set(keys)) == len(keys)


def test_the_width_of_an_integer_does_not_count_but_its_kind_does() -> None:
    widths = {(oid, size): canonical(oid, 1, (42).to_bytes(size, "big")) for oid, size in ((21, 2), (23, 4), (20, 8))}
    assert set(widths.values()) == {canonical(23, 0, b"42")}
    assert len({canonical(oid, 0, b"1") for oid in (oids.INT4, oids.FLOAT8, oids.NUMERIC, oids.TEXT, oids.BOOL)}) == 5
    assert canonical(1005, 0, b"{1,2}") == canonical(1016, 0, b"{1,2}") != canonical(1009, 0, b"{1,2}")


def test_a_moment_is_the_same_in_every_zone() -> None:
    assert key(MOMENT, PyFormat.TEXT) == key(MOMENT.astimezone(dt.timezone.utc), PyFormat.TEXT)
    assert canonical(oids.TIMESTAMPTZ, 0, b"2024-07-01T10:00:00.25Z") == key(MOMENT, PyFormat.BINARY)


def test_the_scale_of_a_numeric_counts() -> None:
    assert canonical(oids.NUMERIC, 0, b"1.0") != canonical(oids.NUMERIC, 0, b"1.00")


def test_json_is_compared_by_content_and_its_numbers_by_letter() -> None:
    assert canonical(oids.JSONB, 0, b'{"a":1,"b":2}') == canonical(oids.JSONB, 1, b'\x01{ "b": 2, "a": 1 }')
    assert canonical(oids.JSONB, 0, b'{"a":1,"a":2}') == canonical(oids.JSONB, 0, b'{"a":2}')
    assert canonical(oids.JSON, 0, b'{"a":1,"a":2}') != canonical(oids.JSON, 0, b'{"a":2}')
    keys = [
        canonical(oids.JSONB, 0, text)
        for text in (b"1", b"1.0", b'"1"', b"[1]", b'["number","1"]', b"true", b"[]", b"{}", b"null")
    ]
    assert len(set(keys)) == len(keys)


def test_a_uuid_is_the_same_however_it_is_spelled() -> None:
    assert canonical(oids.UUID, 0, b"{00000000-0000-0000-0000-00000000000A}") == canonical(
        oids.UUID, 1, bytes(15) + b"\n"
    )
    assert canonical(oids.TEXT, 0, b"ab-c") != canonical(oids.TEXT, 0, b"abc")


def test_an_absurd_numeric_or_nesting_is_compared_by_its_bytes() -> None:
    assert canonical(oids.NUMERIC, 0, b"1E+999999999") == ("bytes", oids.NUMERIC, 0, b"1E+999999999")
    deep = b"[" * 100_000
    assert canonical(oids.JSON, 0, deep) == ("bytes", oids.JSON, 0, deep)


@pytest.mark.parametrize(
    ("oid", "fmt", "raw", "ns"),
    [
        (oids.TIMESTAMPTZ, 0, b"1970-01-01 02:00:01+02", 1_000_000_000),
        (oids.TIMESTAMPTZ, 1, bytes(8), 946_684_800_000_000_000),
        (oids.TIMESTAMP, 0, b"1970-01-01 00:00:00.5", 500_000_000),
        (oids.UNDECLARED, 0, b"1970-01-01T00:00:01Z", None),
        (oids.TEXT, 0, b"at 10:00", None),
        (oids.TIMESTAMPTZ, 1, (2**63 - 1).to_bytes(8, "big"), None),
        (oids.DATE, 0, b"1970-01-01", None),
        (oids.INT8, 0, b"1700000000", None),
        (oids.TIMESTAMPTZ, 0, None, None),
    ],
)
def test_an_instant_is_told_from_other_values(oid: int, fmt: int, raw: bytes | None, ns: int | None) -> None:
    assert instant_ns(oid, fmt, raw) == ns


def test_a_value_is_shown_as_text_where_it_has_one() -> None:
    assert shown(oids.INT4, 1, (7).to_bytes(4, "big")) == "7"
    assert shown(oids.TEXT, 0, "é".encode()) == "é"
    assert shown(oids.TEXT, 0, b"\xff") == b"\xff"
    assert shown(600, 1, bytes(16)) == bytes(16)
    assert shown(oids.INT4, 0, None) is None


@given(st.integers(0, 7000), st.sampled_from([0, 1]), st.binary(max_size=60))
def test_any_bytes_have_a_key(oid: int, fmt: int, raw: bytes) -> None:
    assert canonical(oid, fmt, raw) == canonical(oid, fmt, raw)
    hash(canonical(oid, fmt, raw))
    assert shown(oid, fmt, raw) is not None
    instant_ns(oid, fmt, raw)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_two_integers_have_one_key_only_if_they_are_equal(one: int, other: int) -> None:
    assert (key(one, PyFormat.TEXT) == key(other, PyFormat.BINARY)) is (one == other)
