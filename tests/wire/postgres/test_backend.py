"""Transcripts: what a client sends, and the server's messages one per line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.postgres.client import (
    FLUSH,
    SYNC,
    bind,
    cancel_request,
    close,
    describe,
    execute,
    message,
    parse,
    query,
    ssl_request,
    startup,
    transcript,
)
from tests.wire.postgres.serving import Canned, exchange, table
from tests.wire.postgres.test_reader import CLIENT_BYTES
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.answers import Answer
from timetracer_otel.wire.postgres.backend import Backend
from timetracer_otel.wire.postgres.messages import Notification

ONE = exchange("select 1", table([("a", 23)], [["1"]]))
NAMES = exchange(
    "select name from t where id > $1", table([("name", 25)], [["x", None, "z"]]), types=[23], values=["0"]
)


def started(answers: Canned, number: int = 7) -> Backend:
    backend = Backend(number, answers)
    backend.receive(startup(user="app"))
    return backend


def say(backend: Backend, *sent: bytes) -> list[str]:
    return transcript(backend.receive(b"".join(sent)))


# ---- start-up --------------------------------------------------------------------------------------------------------


def test_encryption_is_refused_and_the_recorded_server_introduces_itself() -> None:
    backend = Backend(7, Canned(parameters={"server_version": "15.18", "TimeZone": "Europe/Berlin"}))
    assert backend.receive(ssl_request()) == b"N"
    lines = say(backend, startup(user="app", application_name="web", TimeZone="UTC"))
    assert lines[0] == "R 00000000"
    assert {"S server_version=15.18", "S TimeZone=Europe/Berlin", "S application_name=web"} <= set(lines)
    assert "S session_authorization=app" in lines
    assert lines[-2:] == ["K 0000000700000007", "Z I"]


def test_what_the_client_asks_for_counts_where_nothing_was_recorded() -> None:
    lines = say(
        Backend(1, Canned()), startup(user="app", client_encoding="utf-8", options=r"-c TimeZone=Asia/Tokyo -c x=1")
    )
    assert {"S client_encoding=UTF8", "S TimeZone=Asia/Tokyo"} <= set(lines)


def test_a_newer_minor_protocol_is_negotiated_down() -> None:
    lines = say(Backend(1, Canned()), startup(minor=2, user="app", **{"_pq_.x": "1"}))
    assert lines[0] == "v 00000000" + "00000001" + b"_pq_.x\0".hex()


@pytest.mark.parametrize("last", [cancel_request(7, 7), startup(user="app") + message(b"X")])
def test_a_cancel_request_and_a_terminate_close_the_connection(last: bytes) -> None:
    backend = Backend(7, Canned([ONE]))
    backend.receive(last + query("select 1"))
    assert backend.is_closing


def test_a_cancel_request_is_handed_on_with_the_number_of_the_connection_it_is_about() -> None:
    cancelled: list[int] = []
    backend = Backend(8, Canned(), cancelled.append)
    assert backend.receive(cancel_request(7, 7)) == b""
    assert cancelled == [7]


# ---- simple protocol -------------------------------------------------------------------------------------------------


def test_a_simple_query_is_answered_with_its_rows() -> None:
    assert say(started(Canned([ONE])), query("select  1;")) == ["T a:23/0", "D 1", "C SELECT 1", "Z I"]


@pytest.mark.parametrize("is_readable", [False, True])
def test_wire_and_readable_form_replay_alike(is_readable: bool) -> None:
    wire = table([("a", 23), ("b", 25)], [[(1).to_bytes(4, "big"), None], [b"x", b""]], fmt=1)
    readable = {**wire, "rows": [["1", "x"], [None, ""]]}
    readable.pop("values")
    backend = started(Canned([exchange("select", readable if is_readable else wire)]))
    assert say(backend, query("select")) == ["T a:23/0 b:25/0", "D 1 x", "D NULL ", "C SELECT 2", "Z I"]


def test_results_before_an_error_are_given_and_notices_before_them() -> None:
    notice = {"S": "NOTICE", "C": "00000", "M": "hi"}
    error = {"S": "ERROR", "C": "22012", "M": "division by zero"}
    recorded = exchange("select 1; select 1/0", table([("a", 23)], [["1"]]), notices=[notice], error=error)
    lines = say(started(Canned([recorded])), query("select 1; select 1/0"))
    assert lines == ["N 00000 hi", "T a:23/0", "D 1", "C SELECT 1", "E 22012 division by zero", "Z I"]


def test_rows_without_columns_and_an_empty_query() -> None:
    nothing = exchange("select from t", {"columns": [], "formats": [], "rows": 2, "values": [], "tag": "SELECT 2"})
    backend = started(Canned([nothing, exchange(";", {"tag": ""})]))
    assert say(backend, query("select from t")) == ["T ", "D ", "D ", "C SELECT 2", "Z I"]
    assert say(backend, query(";")) == ["I", "Z I"]
    assert say(backend, query("")) == ["I", "Z I"]


def test_the_status_follows_the_commands_and_their_failures() -> None:
    error = {"S": "ERROR", "C": "23503", "M": "deferred"}
    aborted = {"S": "ERROR", "C": "25P02", "M": "current transaction is aborted"}
    answers = Canned(
        [exchange("select 1/0", error=error), exchange("select 2", error=aborted), exchange("COMMIT", error=error)]
    )
    backend = started(answers)
    assert say(backend, query("BEGIN"), query("select 1/0"), query("select 2")) == [
        *["C BEGIN", "Z T", "E 23503 deferred", "Z E"],
        *["E 25P02 current transaction is aborted", "Z E"],
    ]
    assert say(backend, query("ROLLBACK"), query("BEGIN"), query("COMMIT")) == [
        *["C ROLLBACK", "Z I", "C BEGIN", "Z T"],
        *["E 23503 deferred", "Z I"],
    ]


def test_a_recorded_commit_does_not_commit_what_failed_by_a_miss() -> None:
    answers = Canned([exchange("COMMIT", {"tag": "COMMIT"})])
    backend = started(answers)
    assert say(backend, query("BEGIN"), query("select 9"))[-2:] == ["E XX000 no recorded answer for select 9", "Z E"]
    assert backend.transaction.failed_by_miss
    assert say(backend, query("COMMIT")) == ["C ROLLBACK", "Z I"]
    assert answers.used == {0}


def test_a_recorded_success_is_not_given_in_a_failed_transaction() -> None:
    error = {"S": "ERROR", "C": "22012", "M": "division by zero"}
    answers = Canned([exchange("select 1/0", error=error), ONE])
    backend = started(answers)
    lines = say(backend, query("BEGIN"), query("select 1/0"), query("select 1"))
    assert lines[-2:] == ["E 25P02 select 1: the transaction has failed, a server would not run this", "Z E"]
    assert answers.refusals == ["the transaction has failed, a server would not run this"]


def test_a_savepoint_brings_a_transaction_back_that_failed_by_a_miss() -> None:
    backend = started(Canned([ONE]))
    lines = say(
        backend, query("BEGIN"), query("SAVEPOINT a"), query("select 9"), query("ROLLBACK TO a"), query("select 1")
    )
    assert lines[-4:] == ["T a:23/0", "D 1", "C SELECT 1", "Z T"]
    assert say(backend, query("COMMIT")) == ["C COMMIT", "Z I"]


def test_set_is_reported_and_taken_back_with_its_transaction() -> None:
    backend = started(Canned())
    assert say(backend, query("SET TimeZone TO 'Asia/Tokyo'")) == ["C SET", "S TimeZone=Asia/Tokyo", "Z I"]
    assert say(backend, query("BEGIN"), query("SET LOCAL TIME ZONE 'utc'")) == [
        "C BEGIN",
        "Z T",
        "C SET",
        "S TimeZone=UTC",
        "Z T",
    ]
    assert say(backend, query("COMMIT")) == ["C COMMIT", "S TimeZone=Asia/Tokyo", "Z I"]


# ---- extended protocol -----------------------------------------------------------------------------------------------


def test_a_prepared_statement_is_described_bound_and_executed() -> None:
    backend = started(Canned([NAMES]))
    sql = "select name from t where id > $1"
    assert say(backend, parse("s", sql), describe("S", "s"), SYNC) == ["1", "t 23", "T name:25/0", "Z I"]
    lines = say(backend, bind("", "s", [b"\0\0\0\0"], [1]), describe("P", ""), execute(), SYNC)
    assert lines == ["2", "T name:25/0", "D x", "D NULL", "D z", "C SELECT 3", "Z I"]
    assert say(backend, close("S", "s"), bind("", "s", [b"0"]), SYNC) == [
        "3",
        'E 26000 prepared statement "s" does not exist',
        "Z I",
    ]


def test_formats_are_those_that_the_client_asks_for() -> None:
    backend = started(Canned([exchange("select", table([("a", 23), ("b", 25)], [["1"], ["x"]]))]))
    lines = say(backend, parse("", "select"), bind("", "", result_formats=[1, 0]), describe("P", ""), execute(), SYNC)
    assert lines == ["1", "2", "T a:23/1 b:25/0", "D 00000001 x", "C SELECT 1", "Z I"]


def test_a_portal_is_read_in_pages() -> None:
    backend = started(Canned([NAMES]))
    sent = [parse("", "select name from t where id > $1", 23), bind("p", "", [b"0"]), execute("p", 2), FLUSH]
    assert say(backend, *sent) == ["1", "2", "D x", "D NULL", "s"]
    assert say(backend, execute("p", 2), execute("p", 2), SYNC) == [
        "D z",
        "C SELECT 1",
        'E 55000 portal "p" cannot be run',
        "Z I",
    ]
    assert say(backend, execute("p"), SYNC) == ['E 34000 portal "p" does not exist', "Z I"]


def test_after_an_error_everything_up_to_sync_is_passed_over() -> None:
    answers = Canned([ONE])
    run = [bind("", ""), execute()]
    lines = say(
        started(answers),
        parse("", "select 9"),
        *run,
        parse("", "select 1"),
        *run,
        SYNC,
        parse("", "select 1"),
        *run,
        SYNC,
    )
    assert lines == ["1", "E XX000 no recorded answer for select 9", "Z I", "1", "2", "D 1", "C SELECT 1", "Z I"]


def test_a_pipeline_is_answered_in_order() -> None:
    answers = Canned([exchange("select $1", table([("a", 25)], [[name]]), types=[25], values=[name]) for name in "ab"])
    sent = [
        parse("", "select $1"),
        *(piece for name in (b"b", b"a") for piece in (bind("", "", [name]), execute())),
        SYNC,
    ]
    assert say(started(answers), *sent) == ["1", "2", "D b", "C SELECT 1", "2", "D a", "C SELECT 1", "Z I"]


def test_parameter_types_come_from_the_recording_the_cast_or_are_text() -> None:
    sql = "select $1, $2::jsonb, $3, $4::int[]"
    shapes = [
        exchange(sql, {"tag": "SELECT 0"}, types=[oid, 0, 0, 0], values=["1", "2", "3", "{}"]) for oid in (21, 20, 23)
    ]
    assert say(started(Canned(shapes)), parse("s", sql), describe("S", "s"), SYNC) == [
        "1",
        "t 20 3802 25 1007",
        "n",
        "Z I",
    ]


def test_a_statement_that_never_parsed_fails_when_it_is_described() -> None:
    error = {"S": "ERROR", "C": "42P01", "M": 'relation "x" does not exist'}
    answers = Canned([exchange("select * from x where a = $1", error=error, types=[23], values=["1"])])
    backend = started(answers)
    sent = [parse("", "select * from x where a = $1"), describe("S", ""), SYNC]
    assert say(backend, *sent) == ["1", 'E 42P01 relation "x" does not exist', "Z I"]
    assert answers.used == {0}


def test_a_statement_that_never_parsed_fails_when_it_is_prepared() -> None:
    error = {"S": "ERROR", "C": "42P01", "M": 'relation "x" does not exist'}
    answers = Canned([exchange("select * from x where a = $1", error=error, types=[23], values=["1"])])
    sent = [parse("s", "select * from x where a = $1"), SYNC]
    assert say(started(answers), *sent) == ['E 42P01 relation "x" does not exist', "Z I"]
    assert answers.used == {0}


def test_what_went_no_further_than_parse_ends_there_and_the_next_time_it_does_not() -> None:
    """A driver that prepares first has no values yet when the server refuses the statement."""
    late = exchange("select * from x where a = $1", error={"S": "ERROR", "C": "55P03", "M": "lock timeout"})
    run = exchange("select * from x where a = $1", table([("a", 23)], [["1"]]), types=[23], values=["1"])
    answers = Canned([Answer({**late.request, "op": "parse"}, late.result), run])
    backend = started(answers)
    sent = [parse("s", "select * from x where a = $1"), describe("S", "s"), SYNC]
    assert say(backend, *sent) == ["E 55P03 lock timeout", "Z I"]
    assert say(backend, *sent) == ["1", "t 23", "T a:23/0", "Z I"]


def test_a_connection_that_broke_at_parse_breaks_there() -> None:
    lost = exchange("select 1", lost="connection reset")
    backend = started(Canned([Answer({**lost.request, "op": "parse"}, {"lost": "connection reset"})]))
    assert say(backend, parse("", "select 1")) == []
    assert backend.is_closing


def test_housekeeping_is_described_without_a_recording_and_other_statements_are_missed() -> None:
    backend = started(Canned())
    assert say(backend, parse("b", "BEGIN"), describe("S", "b"), SYNC) == ["1", "t ", "n", "Z I"]
    assert say(backend, parse("s", "select 9"), describe("S", "s"), SYNC)[1:] == [
        "E XX000 no recorded answer for select 9",
        "Z I",
    ]


def test_deallocate_forgets_and_a_second_parse_of_a_name_is_refused() -> None:
    backend = started(Canned())
    assert say(backend, parse("s", "x"), parse("s", "x"), SYNC)[1] == 'E 42P05 prepared statement "s" already exists'
    assert say(backend, query("DEALLOCATE s"), parse("s", "x"), SYNC) == ["C DEALLOCATE", "Z I", "1", "Z I"]
    assert say(backend, query("DISCARD ALL"), parse("s", "x"), SYNC) == ["C DISCARD ALL", "Z I", "1", "Z I"]


@pytest.mark.parametrize(
    ("recorded", "sent", "reason"),
    [
        (exchange("s", {"tag": "A"}, {"tag": "B"}), bind("", ""), "several results are recorded, a portal gives one"),
        (
            exchange("s", table([("a", 23)], [["1"]])),
            bind("", "", result_formats=[0, 1]),
            "1 columns are recorded, the client expects 2",
        ),
        (
            exchange("s", {"columns": [{"name": "a"}], "tag": "A"}),
            bind("", ""),
            "result of a db.query: not a readable cassette: KeyError: 'oid'",
        ),
    ],
)
def test_what_cannot_be_given_is_refused_by_name(recorded: Answer, sent: bytes, reason: str) -> None:
    answers = Canned([recorded])
    lines = say(started(answers), parse("", "s"), sent, execute(), SYNC)
    assert lines[1].startswith(f"E 0A000 s: {reason}")
    assert answers.refusals[0].startswith(reason)


def test_a_function_call_is_refused() -> None:
    answers = Canned()
    assert say(started(answers), message(b"F", b"\0\0"))[0].startswith("E 0A000")
    assert len(answers.refusals) == 1


def test_the_columns_of_a_cursor_of_sql_are_what_was_recorded_of_them() -> None:
    shape = {**table([("id", 23)], [[]]), "tag": None}
    backend = started(Canned([exchange('DESCRIBE "c"', shape)]))
    assert say(backend, describe("P", "c"), SYNC) == ["T id:23/0", "Z I"]
    assert say(backend, describe("P", "c"), SYNC)[0].startswith("E XX000")


# ---- notifications ---------------------------------------------------------------------------------------------------


def test_notifications_come_with_the_answer_during_which_they_came() -> None:
    told = [{"channel": "news", "payload": "x", "pid": 1}]
    answers = Canned([exchange("select 1", table([("a", 23)], [["1"]]), notifications=told)])
    lines = say(started(answers), query("select 1"))
    assert lines[-3:] == ["C SELECT 1", "A " + b"\0\0\0\1news\0x\0".hex(), "Z I"]


def test_a_fatal_error_in_a_pipeline_ends_the_connection_only_once_the_client_has_said_all() -> None:
    """A client that finds the end of the connection while it still sends loses the error before it."""
    fatal = {"S": "FATAL", "V": "FATAL", "C": "57P01", "M": "terminated"}
    backend = started(Canned([ONE, exchange("select 2", error=fatal)]))
    first, second = (parse("", sql) + bind("", "") + execute() for sql in ("select 1", "select 2"))
    assert say(backend, first, second)[-1] == "E 57P01 terminated"
    assert not backend.is_closing
    assert say(backend, first) == []
    assert say(backend, SYNC) == []
    assert backend.is_closing


def test_flush_brings_the_notifications_that_are_due_or_ends_a_wait_that_has_no_end() -> None:
    answers = Canned(due=[Notification(1, "news", "x")])
    backend = started(answers)
    assert say(backend, FLUSH) == ["A " + b"\0\0\0\1news\0x\0".hex()]
    answers.due = None
    assert say(backend, FLUSH) == []
    assert backend.is_closing


# ---- COPY ------------------------------------------------------------------------------------------------------------

FORMATS: dict[str, Any] = {"format": 0, "formats": [0, 0]}
COPIED = Answer(
    {"op": "copy_in", "statement": "copy t from stdin", "copy": {**FORMATS, "data": ["1\ta\n", "2\tb\n"]}},
    {"results": [{"tag": "COPY 2"}]},
)


def test_copy_in_is_answered_when_all_its_data_has_come_in_whatever_pieces() -> None:
    backend = started(Canned([COPIED]))
    assert say(backend, query("copy t from stdin")) == ["G 00000200000000"]
    assert say(backend, message(b"d", b"1\ta\n2"), SYNC, FLUSH, message(b"d", b"\tb\n")) == []
    assert say(backend, message(b"c")) == ["C COPY 2", "Z I"]
    assert say(backend, message(b"c"), message(b"d", b"late"), message(b"f", b"late\0")) == []


def test_other_data_of_copy_in_and_one_that_the_client_gives_up_are_misses() -> None:
    backend = started(Canned([COPIED]))
    lines = say(backend, query("copy t from stdin"), message(b"d", b"1\ta\n"), message(b"c"))
    assert lines[1:] == ["E XX000 no recorded answer for copy t from stdin", "Z I"]
    lines = say(backend, query("copy t from stdin"), message(b"f", b"enough\0"))
    assert lines[1:] == ["E XX000 no recorded answer for copy t from stdin", "Z I"]


def test_copy_out_is_given_piece_by_piece_up_to_its_error() -> None:
    copy = {**FORMATS, "data": ["1\ta\n", b"\xff\n"]}
    whole = exchange("copy t to stdout", {"tag": "COPY 2"}, copy=copy)
    failed = exchange("copy t to stdout", copy=copy, error={"C": "22012", "M": "division by zero"})
    pieces = ["H 00000200000000", "d 3109610a", "d ff0a"]
    backend = started(Canned([whole, failed]))
    assert say(backend, query("copy t to stdout")) == [*pieces, "c", "C COPY 2", "Z I"]
    assert say(backend, query("copy t to stdout")) == [*pieces, "E 22012 division by zero", "Z I"]


# ---- anything --------------------------------------------------------------------------------------------------------


@given(CLIENT_BYTES)
def test_any_bytes_give_messages_or_a_wire_error(data: bytes) -> None:
    backend = Backend(1, Canned([ONE, NAMES]))
    try:
        backend.receive(startup(user="app"))
        backend.receive(data)
    except WireError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=4) | st.binary(max_size=4),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "oid", "values", "rows", "tag"]), children, max_size=3)
    ),
    max_leaves=6,
)
CELLS = st.lists(st.lists(JSON, max_size=2), max_size=2)
COPY = st.fixed_dictionaries(
    {}, optional={"format": st.integers(0, 2) | JSON, "formats": st.lists(st.integers(0, 2)) | JSON, "data": JSON}
)
RESULT = st.fixed_dictionaries(
    {},
    optional={
        "columns": st.lists(
            st.fixed_dictionaries({"name": JSON, "oid": st.sampled_from([23, 25, 600, -1, 2**33, "x"])}), max_size=2
        )
        | JSON,
        "formats": st.lists(st.sampled_from([0, 1, 2]), max_size=2) | JSON,
        "rows": st.integers(0, 2) | CELLS | JSON,
        "values": CELLS | JSON,
        "tag": st.sampled_from(["", "SELECT 1"]) | JSON,
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "results": st.lists(RESULT, max_size=2) | JSON,
            "error": JSON,
            "notices": JSON,
            "copy": COPY | JSON,
        },
    )
)
def test_a_strangers_cassette_gives_messages_and_nothing_else(result: dict[str, Any]) -> None:
    answer = Answer({"statement": "s", "parameters": []}, result)
    backend = started(Canned([answer]))
    lines = say(backend, query("s"))
    assert lines[-1] == "Z I" or backend.is_closing
    say(started(Canned([answer])), parse("", "s"), bind("", "", [b"x"], [1], [1]), SYNC)
    say(started(Canned([answer])), parse("", "s"), describe("S", ""), bind("", "", result_formats=[1]), execute(), SYNC)
