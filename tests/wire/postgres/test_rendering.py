"""What a server sends in one format, rendered in the other, against what it sends in that one."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.pq import Format

from tests.wire.postgres.client import transcript
from tests.wire.postgres.test_readable import SELECT
from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres.conversion import Style
from timetracer_otel.wire.postgres.messages import Column
from timetracer_otel.wire.postgres.recorded import Table
from timetracer_otel.wire.postgres.rendering import rows


def selected(connection: psycopg.Connection, form: Format) -> Table:
    found = connection.pgconn.exec_params(SELECT.encode(), None, result_format=form)
    columns = tuple(Column(f"c{index}", found.ftype(index)) for index in range(found.nfields))
    values: list[list[Any]] = [[found.get_value(0, index)] for index in range(found.nfields)]
    if form == Format.TEXT:
        values = [[None if value is None else value.decode()] for (value,) in values]
    return Table(columns, (int(form),) * len(columns), tuple(values), 1, is_readable=False)


@pytest.mark.postgres
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_either_format_gives_the_other_byte_for_byte(connection: psycopg.Connection, zone: str) -> None:
    connection.execute(f"set TimeZone = '{zone}'")
    text, binary = selected(connection, Format.TEXT), selected(connection, Format.BINARY)
    style = Style(time_zone=zone)
    assert rows(binary, [0] * len(text.columns), style) == rows(text, text.formats, style)
    assert rows(text, [1] * len(text.columns), style) == rows(binary, binary.formats, style)


def table(oid: int, fmt: int, *values: Any, is_readable: bool = False) -> Table:
    return Table((Column("c", oid),), (fmt,), (values,), len(values), is_readable)


@pytest.mark.parametrize(
    ("recorded", "wanted", "lines"),
    [
        (table(25, 0, "x", None, "y" * 300), 0, ["D x", "D NULL", "D " + "y" * 300]),
        (table(25, 0, b"\xff"), 0, ["D ff"]),
        (table(25, 0, "é"), 1, ["D c3a9"]),
        (table(23, 1, b"\0\0\0\x07"), 0, ["D 7"]),
        (table(23, 1, "7", is_readable=True), 0, ["D 7"]),
        (table(23, 1, "7", is_readable=True), 1, ["D 00000007"]),
        (table(600, 1, b"abc"), 1, ["D abc"]),
    ],
)
def test_a_value_is_given_in_the_format_asked_for(recorded: Table, wanted: int, lines: list[str]) -> None:
    assert transcript(b"".join(rows(recorded, [wanted], Style()))) == lines


@pytest.mark.parametrize(
    ("recorded", "wanted"),
    [
        (table(600, 0, "(1,2)"), 1),
        (table(600, 1, bytes(16)), 0),
        (table(23, 0, "x"), 1),
        (table(23, 0, 7), 0),
        (table(25, 0, "\ud800"), 0),
    ],
)
def test_what_has_no_exact_form_is_refused_by_column(recorded: Table, wanted: int) -> None:
    with pytest.raises(Unconvertible, match='column 1 "c"'):
        rows(recorded, [wanted], Style())
