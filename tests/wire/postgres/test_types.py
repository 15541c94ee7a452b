"""Every conversion against what a real server says of the same value in both forms."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import ExecStatus, Format

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.conversion import Style
from timetracer_otel.wire.postgres.types import conversion, to_binary, to_text

LITERALS: dict[str, list[str]] = {
    "bool": ["t", "f"],
    "int2": ["-32768", "32767", "0"],
    "int4": ["-2147483648", "2147483647"],
    "int8": ["-9223372036854775808", "1"],
    "oid": ["0", "4294967295"],
    "xid": ["7"],
    "xid8": ["18446744073709551615"],
    "cid": ["3"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "pg_lsn": ["16/B374D848", "0/0"],
    "numeric": [
        *[
            "0",
            "0.0",
            "-0.00001",
            "1.10",
            "10000",
            "9999.9999",
            "0.00010000",
            "100000000",
            "1e-20",
            "1e20",
            "-1.5",
            "0.1234",
        ],
        *[
            "NaN",
            "Infinity",
            "-Infinity",
            "123456789012345678901234567890.123456789",
            "1" + "0" * 99,
            "0." + "0" * 40 + "7",
        ],
    ],
    "float8": [
        *["0", "-0", "1e300", "1e-300", "0.1", "123456789", "1e14", "1e15", "1e16", "1234567890123456", "1e-4", "1e-5"],
        *["NaN", "Infinity", "-Infinity", "1.5", "-2.5e-7", "5e-324", "1.7976931348623157e308", "3.141592653589793"],
    ],
    "float4": ["0.1", "1e10", "1.5", "16777216", "1e5", "1e6", "123456.7", "3.4e38", "1e-45", "NaN", "-Infinity", "-0"],
    "text": ["", "x", "é\n'"],
    "varchar": ["x é"],
    "char(5)": ["x"],
    "name": ["n"],
    '"char"': ["", "x", "\\203"],
    "bytea": ["\\x", "\\x00ff5c"],
    "uuid": ["00000000-0000-0000-0000-00000000000a", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"],
    "json": ['{"a" :1}'],
    "jsonb": ['{"a": [1, 2.50, null]}', '"x"'],
    "jsonpath": ["$.a[*]"],
    "date": [
        "0001-01-01",
        "9999-12-31",
        "infinity",
        "-infinity",
        "4713-01-01 BC",
        "2000-02-29",
        "12345-06-07",
        "0001-12-31 BC",
    ],
    "time": ["00:00:00", "23:59:59.999999", "24:00:00", "01:02:03.5"],
    "timetz": ["01:02:03+02", "24:00:00+15:59:59", "01:02:03.5-02:30", "00:00:00+00"],
    "timestamp": [
        *["2024-02-29 00:00:00.000001", "infinity", "-infinity", "0044-03-15 12:00:00", "0044-03-15 12:00:00.5 BC"],
        *["1999-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999", "4713-01-01 00:00:00 BC"],
    ],
    "timestamptz": [
        *[
            "2024-07-01 00:00:00+02",
            "-infinity",
            "2024-01-01 12:00:00.25+00",
            "1890-01-01 00:00:00+00",
            "2050-07-01 10:00+00",
        ],
    ],
    "interval": [
        *[
            "0",
            "1 year",
            "-1 year -2 mons",
            "1 mon -1 day",
            "00:00:00.000001",
            "-00:00:01",
            "1 day -01:00:00",
            "-1 day +02:00:00",
        ],
        *["100:00:00", "5 years 2 mons -3 days", "-1 mons +3 days", "1 year -2 mons", "-13 mons", "178000000 years"],
    ],
    "inet": [
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "2001:db8::/32",
        "::ffff:1.2.3.4",
        "::1.2.3.4",
        "::",
        "::2",
        "::1:0",
        "1:0:0:2::3:4",
        "::ffff:1",
    ],
    "cidr": ["10.0.0.0/8", "2001:db8::/32", "1.2.3.4/32"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit(3)": ["101"],
    "varbit": ["", "1", "101010101"],
    "int4[]": ["{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[0:1]={1,2}", "[2:3][-1:0]={{1,2},{3,4}}", "{{{1}}}"],
    "text[]": [r'{a,"b c","NULL",NULL,"","\"","\\",é,"{}","a,b",null}', r'{" x ","a' + "\n" + 'b"}'],
    "timestamptz[]": ['{"2024-07-01 00:00:00+02",infinity}'],
    "numeric[]": ["{1.10,NaN}"],
    "bool[]": ["{t,f}"],
    "bytea[]": [r'{"\\x00ff"}'],
    "interval[]": ['{"1 day"}'],
    "int4range": ["[1,5)", "empty", "(,)", "[1,)", "(,7)"],
    "numrange": ["(1.5,2.50]"],
    "tsrange": ['["2024-01-01 00:00:00","2024-01-02 00:00:00")'],
    "tstzrange": ['["2024-01-01 00:00:00+00",infinity]'],
    "daterange": ["[2024-01-01,2024-01-05)"],
    "int8range[]": ['{"[1,5)",empty}'],
    "int4multirange": ["{}", "{[1,3),[5,8)}"],
    "tsmultirange": ['{["2024-01-01 00:00:00","2024-01-02 00:00:00")}'],
}


def both_forms(connection: psycopg.Connection, sql: str, *values: str) -> tuple[int, str, bytes]:
    """OID, text form and binary form of one value, as the server sends them."""
    cells: list[bytes] = []
    for form in (Format.TEXT, Format.BINARY):
        result = connection.pgconn.exec_params(sql.encode(), [value.encode() for value in values], result_format=form)
        assert result.status == ExecStatus.TUPLES_OK, (sql, values, result.error_message)
        cells.append(result.get_value(0, 0) or b"")
    return result.ftype(0), cells[0].decode(), cells[1]


@pytest.mark.postgres
@pytest.mark.parametrize("type_name", LITERALS)
def test_both_forms_of_a_value_are_those_of_the_server(connection: psycopg.Connection, type_name: str) -> None:
    for literal in LITERALS[type_name]:
        oid, text, raw = both_forms(connection, f"select $1::text::{type_name}", literal)
        assert (to_text(oid, raw), to_binary(oid, text)) == (text, raw), literal


@pytest.mark.postgres
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "UTC", "Etc/GMT+5"])
def test_a_timestamptz_has_the_offset_of_the_session(connection: psycopg.Connection, zone: str) -> None:
    connection.execute(f"set TimeZone = '{zone}'")
    style = Style.of({"TimeZone": zone, "DateStyle": "ISO, MDY"})
    for literal in [*LITERALS["timestamptz"], "1980-04-06 01:30:00+00", "0001-01-05 00:00:00+00"]:
        oid, text, raw = both_forms(connection, "select $1::timestamptz", literal)
        assert (to_text(oid, raw, style), to_binary(oid, text, style)) == (text, raw)


@pytest.mark.postgres
def test_the_array_types_are_those_of_the_server(connection: psycopg.Connection) -> None:
    rows = connection.execute("select typarray::int, oid::int from pg_type where typarray <> 0").fetchall()
    arrays: dict[int, int] = dict(rows)
    assert {array: arrays.get(array) for array in oids.ARRAYS} == oids.ARRAYS


@pytest.mark.postgres
def test_the_range_types_are_those_of_the_server(connection: psycopg.Connection) -> None:
    rows = connection.execute("select rngtypid::int, rngsubtype::int, rngmultitypid::int from pg_range").fetchall()
    assert {oid: subtype for oid, subtype, _ in rows} == oids.RANGES
    assert {multirange: oid for oid, _, multirange in rows} == oids.MULTIRANGES


@pytest.mark.postgres
def test_an_escaped_bytea_is_the_same_bytes(connection: psycopg.Connection) -> None:
    connection.execute("set bytea_output = escape")
    oid, text, raw = both_forms(connection, "select $1::bytea", "\\x00ff5c41c3a9")
    assert text == r"\000\377\\A\303\251"
    assert to_binary(oid, text) == raw


@pytest.mark.postgres
def test_an_enum_goes_from_binary_to_text(connection: psycopg.Connection) -> None:
    connection.execute("begin; create type mood as enum ('not so bad')")
    oid, text, raw = both_forms(connection, "select $1::mood", "not so bad")
    assert to_text(oid, raw) == text


@pytest.mark.postgres
def test_a_composite_is_not_taken_for_text(connection: psycopg.Connection) -> None:
    connection.execute("begin; create type pair as (a int, b text)")
    oid, text, raw = both_forms(connection, "select $1::pair", "(1,x)")
    with pytest.raises(Unconvertible, match=f"type OID {oid}: the binary form of a type of the app's own"):
        to_text(oid, raw)
    with pytest.raises(Unconvertible):
        to_binary(oid, text)


@pytest.mark.parametrize(
    ("oid", "style", "says"),
    [
        (oids.DATE, Style(dates="German"), "type date .OID 1082.: its text in DateStyle German"),
        (oids.TIMESTAMPTZ, Style(dates="SQL"), "DateStyle SQL"),
        (oids.INTERVAL, Style(intervals="iso_8601"), "IntervalStyle iso_8601"),
        (oids.TIMESTAMPTZ, Style(time_zone="<+03>-03"), "no binary value"),
    ],
)
def test_a_style_that_is_not_understood_is_refused(oid: int, style: Style, says: str) -> None:
    with pytest.raises(Unconvertible, match=says):
        to_text(oid, bytes(16 if oid == oids.INTERVAL else 4 if oid == oids.DATE else 8), style)


@pytest.mark.parametrize(
    ("oid", "text"),
    [
        *[(oids.INT4, text) for text in ("+1", "01", " 1", "1_0", "2147483648", "")],
        *[(oids.FLOAT8, text) for text in ("1.0", "nan", "1e3")],
        *[
            (oids.TIMESTAMP, text)
            for text in ("2024-02-30 00:00:00", "2024-01-01T00:00:00", "yesterday", "2024-01-01 25:00:00")
        ],
        *[(1007, text) for text in ("{1,{2}}", "{{1},{2,3}}", "{1", "1}", "{1}x", "{ 1}", "")],
        (oids.BOOL, "true"),
        (oids.UUID, "A0EEBC999C0B4EF8BB6D6BB9BD380A11"),
        (600, "(1,2)"),
    ],
)
def test_a_text_that_the_server_does_not_write_is_refused(oid: int, text: str) -> None:
    with pytest.raises(Unconvertible):
        to_binary(oid, text)


def known_oids() -> Iterator[int]:
    for oid in range(7000):
        try:
            conversion(oid)
        except Unconvertible:
            continue
        yield oid


KNOWN = sorted(known_oids())


def test_xml_is_text_in_both_forms_unless_it_names_its_encoding() -> None:
    assert to_text(oids.XML, b"<a/>") == "<a/>"
    with pytest.raises(Unconvertible, match="XML declaration"):
        to_text(oids.XML, b'<?xml version="1.0"?><a/>')


@given(st.sampled_from([*KNOWN, 600, 20_000]), st.binary(max_size=40))
def test_any_bytes_give_a_text_that_gives_them_back_or_are_refused(oid: int, raw: bytes) -> None:
    try:
        text = to_text(oid, raw)
        again = to_binary(oid, text)
    except Unconvertible:
        return
    assert to_text(oid, again) == text


@given(st.sampled_from([*KNOWN, 600, 20_000]), st.text(max_size=40))
def test_any_text_gives_bytes_that_give_it_back_or_is_refused(oid: int, text: str) -> None:
    try:
        raw = to_binary(oid, text)
    except Unconvertible:
        return
    if not text.startswith("\\x") and oid not in (oids.BYTEA, 1001):
        assert to_text(oid, raw) == text


@given(st.floats(width=64))
def test_a_double_survives(value: float) -> None:
    raw = struct.pack("!d", value)
    again = to_binary(oids.FLOAT8, to_text(oids.FLOAT8, raw))
    assert again == raw or math.isnan(value)


@given(st.integers(-(2**63) + 1, 2**63 - 2))
def test_a_timestamp_survives(us: int) -> None:
    raw = struct.pack("!q", us)
    assert to_binary(oids.TIMESTAMP, to_text(oids.TIMESTAMP, raw)) == raw
