"""`timeline`: spans and exchanges of a trace as a waterfall."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.cassette.strategies import cassettes
from tests.cli.conftest import ESCAPE, Cli, part_of, write
from tests.comparison.recordings import A_NS, TOTAL, a, http, process, query, segment, span, totals
from tests.demonstration import Demonstration
from timetracer_otel.cassette import Cassette, Entry, Exchange
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.cli.waterfall import waterfall
from timetracer_otel.store import Store, save_bundle

FILE = "a.cassette.json"
MS = 1_000_000
WEB, SELECT, CHARGE, DB = "a1" * 8, "b2" * 8, "c3" * 8, "d4" * 8


def save(cassette: Cassette) -> str:
    save_bundle(cassette, Path(FILE))
    return FILE


def lines(cli: Cli, cassette: Cassette, *options: str) -> list[str]:
    done = cli("timeline", save(cassette), *options)
    assert (done.status, done.err) == (0, "")
    return done.out.splitlines()


def row(printed: Sequence[str], text: str) -> str:
    (found,) = [line for line in printed if "|" in line and text in line]
    return found


WEB_SPANS = (
    span(WEB, status="ERROR"),
    span(SELECT, A_NS + 5 * MS, 10 * MS, name="SELECT", kind="CLIENT", parent_id=WEB),
)
FAILED = query(30, "insert into notes values ($1)", ["x"], error={"C": "23505", "M": "twice"}, span_id=WEB)
TRACE = a(
    segment(
        http(duration_ns=40 * MS),
        replace(query(6, TOTAL, ["42"], totals("12.50"), span_id=SELECT), duration_ns=8 * MS),
        FAILED,
        spans=WEB_SPANS,
        entry=Entry("http.server", "GET /orders/{id}", "500 KeyError: 'total'"),
    ),
    segment(
        replace(query(1, "select 1", span_id=DB), duration_ns=2 * MS),
        segment_id=CHARGE,
        start_ns=A_NS + 4 * MS,
        process=process("8b", host="pay-1", pid=77),
        name="charge",
        spans=(span(CHARGE, A_NS + 4 * MS, 20 * MS, name="charge", parent_id=SELECT, remote_parent=True),),
        complete=False,
        dropped={"limit": 2},
        entry=Entry("function", "charge", "ok"),
    ),
)
PICTURE = """\
trace     7f3a91c2000000000000000000000000
segment   7f3a91c2/a1a1a1a1   GET /orders/{id}   500 KeyError: 'total'   41 on web-1
segment   7f3a91c2/c3c3c3c3   charge   ok   77 on pay-1
took      50.0 ms

    at ms        ms
      0.0      50.0 |!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!| [failed] GET /orders/{id}   SERVER
      5.0      10.0 |   =======                        |   SELECT   CLIENT
      4.0      20.0 |  ==============                  |     [segment 7f3a91c2/c3c3c3c3] charge...
      5.0       2.0 |   #                              |       [its span is not there] select 1
      6.0       8.0 |    #####                         |     select total from orders where id =...
     30.0       0.5 |                    !             |   [failed] [after the response] insert i...

incomplete: segment 7f3a91c2/c3c3c3c3 was recorded without its end, or has gaps
dropped: segment 7f3a91c2/c3c3c3c3: limit: 2
clock skew: segment 7f3a91c2/c3c3c3c3 on pay-1 begins 1.0 ms before its parent on web-1; each is drawn as its own \
clock says
"""


def test_segments_spans_and_exchanges_stand_on_one_axis(cli: Cli) -> None:
    assert "\n".join(lines(cli, TRACE, "--width", "100")) + "\n" == PICTURE


def test_without_a_terminal_no_text_is_cut(cli: Cli) -> None:
    printed = lines(cli, TRACE)
    assert row(printed, "insert").endswith(
        "[failed] [after the response] insert into notes values ($1)   ('x')   23505: twice"
    )
    assert row(printed, "select total").endswith("select total from orders where id = $1   ('42')   1 row")


def test_no_line_of_the_picture_is_wider_than_asked(cli: Cli) -> None:
    for width in (40, 60, 133):
        rows = [line for line in lines(cli, TRACE, "--width", str(width)) if "|" in line]
        assert max(map(len, rows)) <= width
        assert len({line.index("|") for line in rows}) == 1


def test_a_time_limit_hides_what_is_shorter_and_says_how_much(cli: Cli) -> None:
    printed = lines(cli, TRACE, "--min", "9ms")
    assert "hidden: 2 exchanges shorter than 9ms" in printed
    assert row(printed, "insert")
    assert [line for line in printed if "select" in line] == []
    assert "hidden" not in "".join(lines(cli, TRACE, "--min", "0ms"))


def test_an_exchange_outside_of_any_span_stands_under_the_root(cli: Cli) -> None:
    printed = lines(cli, a(segment(query(1, "select 1", span_id=None))))
    assert row(printed, "select 1").endswith("|   [no span] select 1")


def test_a_short_span_over_a_long_one_stays(cli: Cli) -> None:
    late = span(DB, A_NS + 2 * MS, 30 * MS, name="worker", parent_id=SELECT)
    spans = (span(WEB), span(SELECT, A_NS + MS, MS, name="spawn", parent_id=WEB), late)
    printed = lines(cli, a(segment(spans=spans)), "--min", "5ms")
    assert row(printed, "spawn")
    assert row(printed, "worker").endswith("    worker   SERVER")
    assert "hidden" not in "".join(printed)


def test_work_after_the_response_is_named_once_where_it_begins() -> None:
    spans = (
        span(WEB),
        span(SELECT, A_NS + 30 * MS, 9 * MS, name="mail", parent_id=WEB),
        span(
            DB,
            A_NS + 21 * MS,
            MS,
            name="http send",
            parent_id=WEB,
            attributes={"asgi.event.type": "http.response.body"},
        ),
    )
    found = waterfall(a(segment(http(), query(31, span_id=SELECT), spans=spans)))
    assert [row.is_late for row in found.rows] == [False, False, True, True]


def test_a_root_that_has_not_ended_is_drawn_as_far_as_it_is_known(cli: Cli) -> None:
    spans = (span(SELECT, A_NS, 10 * MS, name="SELECT", parent_id=WEB),)
    printed = lines(cli, a(segment(query(20), spans=spans, complete=False)))
    assert row(printed, "[not ended] GET /orders/{id}").split()[:2] == ["0.0", "20.5"]
    printed = lines(cli, a(segment(query(20), spans=(), complete=False)))
    assert row(printed, "[not ended]").split()[:2] == ["0.0", "20.5"]


def test_parents_that_go_in_a_circle_hide_nothing() -> None:
    spans = tuple(
        span(one * 8, parent_id=other * 8, name=one) for one, other in (("b2", "c3"), ("c3", "d4"), ("d4", "b2"))
    )
    rows = waterfall(a(segment(spans=(span(WEB), *spans)))).rows
    assert sorted(row.span.name for row in rows if row.span) == ["GET /orders/{id}", "b2", "c3", "d4"]


def test_a_trace_deeper_than_the_stack_is_drawn(cli: Cli) -> None:
    ids = [f"{number:016x}" for number in range(1, 5001)]
    chain = tuple(span(one, parent_id=other, name=one) for one, other in zip(ids[1:], ids, strict=False))
    printed = lines(cli, a(segment(segment_id=ids[0], spans=(span(ids[0]), *chain))))
    assert len([line for line in printed if "|" in line]) == 5000
    assert "(4999)" in printed[-1]


def test_twenty_thousand_spans_take_seconds(cli: Cli) -> None:
    spans = tuple(span(f"{number:016x}", A_NS + number, parent_id=WEB) for number in range(1, 20_001))
    cassette = a(segment(spans=(span(WEB), *spans)))
    began = time.thread_time()
    assert len(waterfall(cassette).rows) == 20_001
    assert time.thread_time() - began < 5


def test_json_has_each_row_with_its_depth(cli: Cli) -> None:
    document = json.loads(cli("timeline", save(TRACE), "--json", "--min", "9ms").out)
    assert [(each["kind"], each["depth"], each["id"]) for each in document["rows"]] == [
        ("span", 0, WEB),
        ("span", 1, SELECT),
        ("span", 2, CHARGE),
        ("exchange", 1, "p-30"),
    ]
    last = document["rows"][-1]
    assert (last["at_ns"], last["duration_ns"], last["failed"], last["after_response"]) == (
        30 * MS,
        MS // 2,
        True,
        True,
    )
    assert document["hidden"] == {"min_ns": 9 * MS, "span": 0, "exchange": 2, "acquire": 0}
    assert document["clock_skews"] == [{"segment": CHARGE, "parent": WEB, "early_ns": MS}]


def test_a_trace_of_the_store_and_one_segment_of_it_are_drawn(cli: Cli, store: Store) -> None:
    write(store, part_of(segment=CHARGE, spans=(span(CHARGE, name="charge"),), exchanges=()))
    assert "charge" in cli("timeline", "7f3a").out
    alone = cli("timeline", "7f3a/c3").out
    assert alone.count("|") == 2
    assert "charge" in alone


@pytest.mark.parametrize("arguments", [("--min", "5"), ("--width", "10"), ("--width", "x")])
def test_bad_input_is_one_line_and_exit_code_2(cli: Cli, store: Store, arguments: tuple[str, ...]) -> None:
    done = cli("timeline", "7f3a", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(cassettes())
def test_r31_any_cassette_is_drawn_and_drives_no_terminal(cli: Cli, cassette: Cassette) -> None:
    for options in ((), ("--width", "80"), ("--json",)):
        done = cli("timeline", save(cassette), *options)
        assert (done.status, done.err) == (0, "")
        assert [character for character in done.out if is_hidden(character) and character != "\n"] == []


def test_a_span_of_a_stranger_does_not_drive_the_terminal(cli: Cli) -> None:
    printed = lines(cli, a(segment(query(1, f"select {ESCAPE}"), spans=(span(WEB, name=f"\n{ESCAPE}"),))))
    assert ESCAPE not in "".join(printed)
    assert r"\x1b" in row(printed, "SERVER")


def on_a_terminal(columns: int, **variables: str) -> str:
    """What the command prints where stdout is a terminal of that width."""
    import fcntl
    import struct
    import termios

    own, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    command = [str(Path(sys.executable).with_name("timetracer-otel")), "timeline", FILE]
    process = subprocess.Popen(command, stdout=theirs, env={**env, "PYTHONUTF8": "1", **variables})
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(own, 65536):
            printed += chunk
    except OSError:  # Linux: the other side is closed
        pass
    os.close(own)
    assert process.wait(60) == 0
    return printed.decode()


def test_on_a_terminal_bars_have_colors_and_its_width_and_no_color_takes_them_away(cli: Cli) -> None:
    save(TRACE)
    colored = on_a_terminal(120)
    assert "\x1b[31m━" in colored
    assert "…" in colored
    plain = on_a_terminal(120, NO_COLOR="1")
    assert "\x1b" not in plain
    rows = [line for line in plain.splitlines() if "|" in line]
    assert max(map(len, rows)) == 120


def test_what_was_answered_is_not_what_was_asked_in_it() -> None:
    """The entry itself is no row: it is the root."""
    found = waterfall(a(segment(http(), query(1, span_id=WEB))))
    assert [_exchange(row.exchange) for row in found.rows] == ["", "p-1"]


def _exchange(exchange: Exchange | None) -> str:
    return "" if exchange is None else exchange.id


@pytest.mark.postgres
def test_a_request_of_the_shop_is_drawn_with_its_statements(demo: Demonstration) -> None:
    done = demo.run("timetracer-otel", "timeline", demo.failing)
    assert (done.returncode, done.stderr) == (0, "")
    printed = done.stdout.splitlines()
    assert row(printed, "[failed] GET /orders/{id:int}").split()[0] == "0.0"
    assert "FROM orders WHERE id = $1   ('1003')   1 row" in row(printed, "SELECT id")
    assert "size 2/8, 2 idle, 0 waiting" in row(printed, "pool psycopg pool-1")
    assert len([line for line in printed if "|" in line]) == 6
