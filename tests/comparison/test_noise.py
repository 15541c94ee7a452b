"""What differs between any two recordings."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timezone

from tests.comparison.recordings import (
    A_NS,
    B_NS,
    INT8,
    NUMERIC,
    TIMESTAMPTZ,
    TOTAL,
    UUID,
    http,
    in_a,
    in_b,
    one,
    process,
    query,
    reasons,
    table,
)
from timetracer_otel.cassette import Exchange
from timetracer_otel.comparison import Differs
from timetracer_otel.comparison.noise import CLOCK, MADE, REDACTED


def at(start_ns: int) -> str:
    """12 ms after the beginning, as PostgreSQL writes it."""
    moment = datetime.fromtimestamp(start_ns / 1e9 + 0.012, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f").rstrip("0") + "+00"


MINE, YOURS = (str(uuid.UUID(int=number, version=4)) for number in (1, 2))


def made(value: str) -> Exchange:
    columns = {"reference": UUID}
    return query(1, "insert into orders values ($1) returning reference", [value], table(columns, [[value]]))


def test_ids_that_the_application_made_stand_for_each_other() -> None:
    found = one(in_a(made(MINE), ids=[MINE]), in_b(made(YOURS), ids=[YOURS]))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": MADE, "row[0].reference": MADE}


def test_an_id_that_nobody_made_is_a_value_like_any_other() -> None:
    assert not one(in_a(made(MINE)), in_b(made(YOURS), ids=[YOURS])).is_same


def test_an_id_stands_for_one_other_and_for_no_third() -> None:
    third = str(uuid.UUID(int=3, version=4))
    was = in_a(made(MINE), query(2, TOTAL, [MINE]), ids=[MINE])
    now = in_b(made(YOURS), query(2, TOTAL, [third]), ids=[YOURS, third])
    (two,) = one(was, now).requests
    assert two.request == (Differs("parameters[0]", MINE, third),)


def test_instants_are_excused_each_within_its_own_recording() -> None:
    def touched(start_ns: int) -> Exchange:
        result = table({"at": TIMESTAMPTZ}, [[at(start_ns)]])
        return query(1, "update orders set at = $1 returning at", [at(start_ns)], result, types=[TIMESTAMPTZ])

    found = one(in_a(touched(A_NS)), in_b(touched(B_NS)))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": CLOCK, "row[0].at": CLOCK}
    assert not one(in_a(touched(A_NS)), in_b(touched(A_NS + 5_000_000_000))).is_same


def test_times_in_an_answer_of_http_are_excused_in_every_spelling() -> None:
    def answered(start_ns: int) -> Exchange:
        seconds = start_ns / 1e9 + 0.01
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        expires = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return http(
            answer={"iso": moment.isoformat(), "s": int(seconds), "ms": seconds * 1e3}, headers={"Expires": expires}
        )

    found = one(in_a(answered(A_NS)), in_b(answered(B_NS)))
    assert not found.outcome
    assert {each.reason for each in found.ignored} == {CLOCK}
    assert len(found.ignored) == 4


SECRET, OTHER = "[redacted:password#3f9a01]", "[redacted:password#77e0aa]"


def test_markers_of_two_processes_cannot_be_compared() -> None:
    found = one(in_a(query(1, TOTAL, [SECRET])), in_b(query(1, TOTAL, [OTHER])))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": REDACTED}


def test_markers_of_one_process_are_equal_for_equal_secrets_alone() -> None:
    was = in_a(query(1, TOTAL, [SECRET]))
    assert one(was, in_b(query(1, TOTAL, [SECRET]), process=process())).is_same
    assert not one(was, in_b(query(1, TOTAL, [OTHER]), process=process())).is_same


def test_a_secret_that_stands_open_in_one_recording_is_a_difference() -> None:
    for was, now in ([SECRET, "hunter2"], ["hunter2", SECRET]):
        assert not one(in_a(query(1, TOTAL, [was])), in_b(query(1, TOTAL, [now]))).is_same


def test_a_number_that_stands_in_for_a_secret_cannot_be_compared_either() -> None:
    def masked(value: str) -> Exchange:
        found = query(1, TOTAL, [value], table({"pin": NUMERIC}, [[value]]), types=[INT8])
        return replace(found, redacted=("request.parameters[0]", "result.results[0].values[0]"))

    found = one(in_a(masked("111")), in_b(masked("222")))
    assert found.is_same
    assert reasons(found) == {"parameters[0]": REDACTED, "row[0].pin": REDACTED}
    assert not one(in_a(masked("111")), in_b(masked("222"), process=process())).is_same
    assert not one(in_a(masked("111")), in_b(replace(masked("222"), redacted=()))).is_same
