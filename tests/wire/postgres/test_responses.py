"""Bytes of a server as values: the inverse of `messages`."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres import messages
from timetracer_otel.wire.postgres.messages import Column
from timetracer_otel.wire.postgres.responses import (
    cells,
    is_ended,
    may_end,
    response,
    row_description,
    shape,
    spans,
    statuses,
)

COLUMNS = (Column("id", 23, 4, -1, 7, 1), Column("näme", 25))
READY = messages.ready_for_query("T")


@given(st.binary(max_size=40), st.lists(st.integers(0, 60), max_size=8))
def test_an_answer_in_any_chunks_may_end_in_the_one_that_ends_it_and_rows_do_not(data: bytes, cuts: list[int]) -> None:
    rows = row(data) * 2
    whole = rows + messages.command_complete("SELECT 2") + READY
    places = sorted({0, len(whole), *(place for place in cuts if place < len(whole))})
    chunks = [whole[start:end] for start, end in pairwise(places)]
    assert may_end(chunks)
    assert not may_end([row(b"x" * len(data))])


def row(*values: bytes | None) -> bytes:
    parts = [messages.NULL if value is None else messages.cell(value) for value in values]
    return messages.message(b"D", struct.pack("!H", len(values)) + b"".join(parts))


@given(st.lists(st.lists(st.none() | st.binary(max_size=300), min_size=2, max_size=2), max_size=20))
def test_rows_come_back_as_they_were_sent(table: list[list[bytes | None]]) -> None:
    sent = messages.row_description(COLUMNS, (1, 0)) + b"".join(row(*each) for each in table)
    heard = response(sent + messages.command_complete(f"SELECT {len(table)}") + READY)
    (result,) = heard.results
    assert (result.columns, result.formats, result.tag) == (list(COLUMNS), [1, 0], f"SELECT {len(table)}")
    pieces = [piece[start:end] for piece in result.rows for _, start, end in spans(piece)]
    assert [cells(piece) for piece in pieces] == table
    assert (result.count, heard.status) == (len(table), "T")


def test_results_errors_and_notices_stand_in_order() -> None:
    notice = {"S": "NOTICE", "C": "00000", "M": "noted"}
    error = {"S": "ERROR", "C": "22012", "M": "division by zero"}
    sent = messages.notice_response(notice) + messages.command_complete("SET") + messages.EMPTY_QUERY
    heard = response(sent + messages.error_response(error) + READY)
    assert [result.tag for result in heard.results] == ["SET", ""]
    assert (heard.notices, heard.error) == ([notice], error)


def test_what_the_server_stopped_at_a_limit_has_no_tag() -> None:
    (result,) = response(row(b"1") + messages.PORTAL_SUSPENDED + READY).results
    assert (result.count, result.tag) == (1, None)


def test_describe_gives_parameters_and_columns() -> None:
    described = messages.parameter_description((23, 25)) + messages.row_description(COLUMNS, (0, 0))
    assert (shape(described).parameters, shape(described).columns) == ((23, 25), COLUMNS)
    assert shape(messages.parameter_description(()) + messages.NO_DATA).columns is None


def test_settings_are_read_from_the_greeting() -> None:
    said = messages.AUTHENTICATION_OK + messages.parameter_status("TimeZone", "UTC") + READY
    assert statuses(said) == {"TimeZone": "UTC"}


@given(st.integers(0, 200))
def test_an_answer_has_ended_only_when_all_of_it_is_there(cut: int) -> None:
    # The value ends like ReadyForQuery does.
    data = row(b"abc" + READY) + messages.command_complete("SELECT 1") + READY
    assert is_ended(data[:cut]) is (cut >= len(data))


@given(st.binary(max_size=400))
def test_any_bytes_give_values_or_one_exception(data: bytes) -> None:
    for read in (response, shape, statuses, is_ended, cells, row_description):
        try:
            read(data)
        except WireError:
            pass


@given(st.lists(st.tuples(st.sampled_from(b"DTtCENZSAGHd12snI"), st.binary(max_size=40)), max_size=6))
def test_any_messages_give_values_or_one_exception(sent: list[tuple[int, bytes]]) -> None:
    data = b"".join(messages.message(bytes([kind]), body) for kind, body in sent)
    for read in (response, shape, statuses):
        try:
            read(data)
        except WireError:
            pass


def test_a_row_that_is_cut_is_refused() -> None:
    with pytest.raises(WireError):
        cells(row(b"abc")[:-1])
