"""`diff`: two cassettes statement by statement, value by value; and the exit code."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.cassette.strategies import cassettes
from tests.cli.conftest import ESCAPE, Cli, part_of, write
from tests.comparison.recordings import (
    INT8,
    NAMES,
    TEXT,
    TOTAL,
    a,
    b,
    http,
    in_a,
    in_b,
    process,
    query,
    segment,
    table,
    totals,
)
from tests.demonstration import Demonstration
from timetracer_otel.cassette import Cassette
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.store import Store, save_bundle

A, B = "a.cassette.json", "b.cassette.json"
MINE, YOURS = "6f0d5c4e-8f9b-4b1e-9a63-0f1d2c3b4a51", "a3c1e7d2-1b5f-4c88-8e0a-7d6f5e4c3b2a"
INSERT = "insert into notes values ($1)"


def save(was: Cassette, now: Cassette) -> tuple[str, str]:
    for cassette, name in ((was, A), (now, B)):
        save_bundle(cassette, Path(name))
    return A, B


WAS = in_a(
    http("/orders/42", {"total": "12.50"}),
    query(1, INSERT, [MINE]),
    query(2, TOTAL, ["42"], totals("12.50")),
    query(3, NAMES, (), table({"id": INT8, "name": TEXT}, [["1", "Zoë"], ["2", "Ming"]])),
    query(4, "select now()"),
    ids=[MINE],
)
NOW = in_b(
    http("/orders/43", {"total": "13"}, status=201),
    query(1, INSERT, [YOURS]),
    query(2, NAMES, (), table({"id": INT8, "name": TEXT}, [["1", "Zoe"], ["2", "Ming"]])),
    *(query(number, TOTAL, [str(number)], totals(None)) for number in range(43, 48)),
    ids=[YOURS],
    process=process("8b", python="3.12.1", packages={"psycopg": "3.3.9"}),
)
TEXTS = """\
environment (A → B): Python 3.11.2 → 3.12.1, psycopg (absent) → 3.3.9

entry asked otherwise
  path: A '/orders/42', B '/orders/43'

outcome differs
  status: A 200, B 201
  body.$.total: A '12.50', B '13'

request differs  select total from orders where id = $1
  exchange  A p-2, B p-43
  request   parameters[0]: A '42', B '43'
  answer    row[0].total: A '12.50', B None
  order     request 2 in A, request 3 in B

answer differs  select id, name from customers order by id
  exchange  A p-3, B p-2
  answer    row[0].name: A 'Zoë', B 'Zoe'

only in A  select now()   exchange p-4

only in B  select total from orders where id = $1
  calls     A 1, B 5
  call      ('44',)   exchange p-44
  call      ('45',)   exchange p-45
  call      ('46',)   exchange p-46
  and 1 more; --json has all

ignored
  exchanges A p-1, B p-1: parameters[0]: an id that the application made

different  A 7f3a91c2/a1a1a1a1 GET /orders/{id}  B 8b2c3d4e/c3c3c3c3 GET /orders/{id}: 1 difference of what was asked, \
2 differences of the outcome, 1 request differs, 2 answers differ, 1 request only in A, 4 requests only in B
"""


def test_what_differs_is_told_in_blocks_and_the_verdict_at_the_end(cli: Cli) -> None:
    done = cli("diff", *save(WAS, NOW))
    assert done.out == TEXTS
    assert (done.status, done.err) == (1, "")


def test_a_changed_value_and_a_changed_place_are_told_beside_the_statement(cli: Cli) -> None:
    calls = [query(number, TOTAL, [str(number)], totals("1")) for number in (1, 2, 3)]
    moved = query(4, "select now()")
    changed = query(1, TOTAL, ["9"], totals("1"), transaction=1)
    done = cli("diff", *save(in_a(*calls, moved), in_b(replace(moved, at_ns=0), changed, *calls[1:])))
    assert done.out == (
        "request differs  select total from orders where id = $1\n"
        "  exchange  A p-1, B p-1\n"
        "  request   parameters[0]: A '1', B '9'\n"
        "  request   transaction: A 'outside', B 'inside'\n"
        "\n"
        "in another order  select now()\n"
        "  exchange  A p-4, B p-4\n"
        "  order     request 4 in A, request 1 in B\n"
        "\n"
        "different  A 7f3a91c2/a1a1a1a1 GET /orders/{id}  B 8b2c3d4e/c3c3c3c3 GET /orders/{id}: "
        "1 request differs, 1 request in another order\n"
    )


def test_segments_have_a_heading_each_where_there_are_several(cli: Cli) -> None:
    charge = segment(query(1, TOTAL, ["1"], totals("1")), segment_id="d4" * 8, name="charge")
    other = replace(charge, exchanges=(query(1, TOTAL, ["1"], totals("2")),))
    mail = segment(segment_id="e5" * 8, name="mail")
    done = cli("diff", *save(a(segment(), charge, mail), b(segment(), other)))
    assert done.out == (
        "segment  A 7f3a91c2/a1a1a1a1  B 8b2c3d4e/a1a1a1a1  GET /orders/{id}   the same\n"
        "\n"
        "segment  A 7f3a91c2/d4d4d4d4  B 8b2c3d4e/d4d4d4d4  charge\n"
        "\n"
        "answer differs  select total from orders where id = $1   ('1',)\n"
        "  exchange  A p-1, B p-1\n"
        "  answer    row[0].total: A '1', B '2'\n"
        "\n"
        "segment only in A  7f3a91c2/e5e5e5e5  mail\n"
        "\n"
        "different  A 7f3a91c2  B 8b2c3d4e: 1 answer differs, 1 segment only in A\n"
    )


def test_the_same_is_one_line_and_exit_code_0(cli: Cli) -> None:
    done = cli("diff", *save(in_a(query(1)), in_b(query(1))))
    line = "same  A 7f3a91c2/a1a1a1a1 GET /orders/{id}  B 8b2c3d4e/c3c3c3c3 GET /orders/{id}: 1 request\n"
    assert (done.status, done.out) == (0, line)


def test_json_has_everything(cli: Cli) -> None:
    done = cli("diff", *save(WAS, NOW), "--json")
    document = json.loads(done.out)
    (found,) = document["segments"]
    assert (done.status, document["diff"], document["same"]) == (1, 1, False)
    assert document["environment"]["psycopg"] == {"a": "(absent)", "b": "3.3.9"}
    assert found["outcome"][0] == {"path": "status", "a": 200, "b": 201}
    assert found["requests"][1]["answer"] == [{"path": "row[0].name", "a": "Zoë", "b": "Zoe"}]
    assert [found["requests"][1][side]["exchange"] for side in "ab"] == ["p-3", "p-2"]
    assert [len(only["calls"]) for only in found["only_b"]] == [4]
    assert found["ignored"][-1] == {
        "path": "parameters[0]",
        "reason": "an id that the application made",
        "exchanges": {"a": "p-1", "b": "p-1"},
        "a": MINE,
        "b": YOURS,
    }


def test_each_way_to_name_a_cassette_works(cli: Cli, store: Store) -> None:
    write(store, part_of("8b" * 16, exchanges=()))
    assert cli("diff", "7f3a", "7f3a").status == 0
    assert cli("diff", "7f3a", "8b8b/a1").status == 1
    assert cli("diff", str(next(store.root.glob("7f3a*"))), "7f3a").status == 0


def test_a_trace_is_the_same_as_its_bundle_whose_rows_are_in_readable_form(cli: Cli, store: Store) -> None:
    assert cli("bundle", "7f3a", "-o", A).status == 0
    done = cli("diff", "7f3a", A)
    assert (done.status, done.out.count("\n")) == (0, 1)


def test_a_segment_is_compared_with_another_of_the_same_trace(cli: Cli, store: Store) -> None:
    write(store, part_of(segment="c3" * 8, exchanges=()))
    done = cli("diff", "7f3a/a1", "7f3a/c3")
    assert done.status == 1
    assert "only in A" in done.out


@pytest.mark.parametrize("arguments", [("7f3a", "nowhere"), ("", "7f3a"), ("7f3a",)])
def test_bad_input_is_one_line_and_exit_code_2(cli: Cli, store: Store, arguments: tuple[str, ...]) -> None:
    done = cli("diff", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)


def test_what_a_stranger_wrote_does_not_drive_the_terminal(cli: Cli) -> None:
    hostile = query(1, f"select {ESCAPE}", [ESCAPE], table({f"na{ESCAPE}me": TEXT}, [[ESCAPE]]), id=ESCAPE)
    other = replace(hostile, result={"results": [table({f"na{ESCAPE}me": TEXT}, [["\u202e"]])], "tx": "I"})
    for options in ((), ("--json",)):
        out = cli("diff", *save(in_a(hostile), in_b(other, query(2, f"drop {ESCAPE}"))), *options).out
        assert [character for character in out if is_hidden(character) and character != "\n"] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(cassettes(), cassettes())
def test_r31_any_two_cassettes_are_compared_and_drive_no_terminal(cli: Cli, was: Cassette, now: Cassette) -> None:
    for options in ((), ("--json",)):
        done = cli("diff", *save(was, now), *options)
        assert done.err == ""
        assert [character for character in done.out if is_hidden(character) and character != "\n"] == []


def test_long_lists_are_cut_and_counted(cli: Cli) -> None:
    calls = [query(number, TOTAL, [str(number)], totals("1")) for number in range(60)]
    others = [query(number, TOTAL, [str(number)], totals("2")) for number in range(60)]
    out = cli("diff", *save(in_a(*calls), in_b(*others))).out
    assert out.count("answer differs") == 50
    assert "\nand 10 more differing requests; --json has all\n" in out
    assert out.rstrip().endswith("60 answers differ")


@pytest.mark.postgres
def test_a_failing_request_of_the_shop_is_compared_with_one_that_works(demo: Demonstration) -> None:
    working = demo.listed("--entry", "GET /orders/{id")[-1]["trace_id"]
    done = demo.run("timetracer-otel", "diff", working, demo.failing)
    assert (done.returncode, done.stderr) == (1, "")
    for words in (
        "  path: A '/orders/1001', B '/orders/1003'\n",
        "  status: A 200, B 500\n",
        "request differs  SELECT id, reference, customer_id, placed_at, status, shipping, note FROM orders WHERE id",
        "  request   parameters[0]: A '1001', B '1003'\n",
        "  answer    row[0].shipping: A '4.90', B None\n",
    ):
        assert words in done.stdout
    assert demo.run("timetracer-otel", "diff", demo.failing, demo.failing).returncode == 0
