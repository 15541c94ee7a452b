from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tests.replay.recordings import RECORDER, asked, by, cassette, exchange, question_of, segment, session
from tests.replay.test_report import ENTRY, WHOLE, replayed, report
from timetracer_otel.capture.process import variables, versions
from timetracer_otel.cassette.model import Process
from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.replay.changes import changes_since
from timetracer_otel.replay.report import Report, build
from timetracer_otel.replay.text import TO_DO_ORDER, render

PYTHON = sys.version.split()[0]


def recorded(**fields: object) -> Process:
    return Process(RECORDER.id, **fields)  # type: ignore[arg-type]  # those of a process


# ---- what is recorded ------------------------------------------------------------------------------------------------


def test_of_variables_the_names_are_recorded_and_the_values_of_harmless_ones() -> None:
    environ = {
        **{"TZ": "Asia/Tokyo", "DATABASE_URL": "postgresql://app:s3cret@db/shop", "AWS_SECRET_ACCESS_KEY": "s3cret"},
        **{"PATH": "/bin", "_": "x", "OTEL_TRACES_EXPORTER": "otlp", "CACHE_SERVICE_PORT_HTTP": "80", "LS_COLORS": "a"},
        **{"DB_PORT_5432_TCP_ADDR": "10.0.0.1", "TIMETRACER_STORE": "s", "N" * 101: "too long"},
        **{"CELERY_LOG_LEVEL": "20", "_MP_FORK_LOGLEVEL_": "20", "FORKED_BY_MULTIPROCESSING": "1"},
    }
    assert variables(environ) == {"AWS_SECRET_ACCESS_KEY": "set", "DATABASE_URL": "set", "TZ": "Asia/Tokyo"}
    assert len(variables({f"V{n}": "" for n in range(1000)})) == 200


# ---- what is compared ------------------------------------------------------------------------------------------------


def test_versions_and_variables_that_are_others_are_named() -> None:
    was = recorded(
        python="3.10.1",
        packages={**versions(), "psycopg": "3.0.1", "long-gone": "1"},
        variables={
            "TZ": "UTC",
            "DEBUG": "set",
            "KEPT": "set",
            "LANG": "C",
            "PYTHONHASHSEED": "1",
            "AWS_REGION": "eu-west-1",
        },
    )
    found = changes_since(was, {"TZ": "Asia/Tokyo", "KEPT": "x", "ADDED": "x", "LC_ALL": "C", "PYTHONHASHSEED": "2"})
    assert [(each["name"], each["recorded"], each["replayed"]) for each in found] == [
        ("python", "3.10.1", PYTHON),
        ("packages.long-gone", "1", None),
        ("packages.psycopg", "3.0.1", versions()["psycopg"]),
        ("variables.DEBUG", "set", None),
        ("variables.LANG", "C", None),
        ("variables.LC_ALL", None, "C"),
        ("variables.TZ", "UTC", "Asia/Tokyo"),
    ]


def test_what_was_not_recorded_is_not_compared() -> None:
    assert changes_since(recorded(), {"TZ": "UTC"}) == ()


def test_what_has_changed_is_a_warning_and_no_deviation() -> None:
    one = segment(*WHOLE.exchanges, process=recorded(python="3.10.1", variables={"A": "set", "B": "set", "TZ": ""}))
    found = build(cassette(one), one, replayed(), question=question_of, changed=changes_since(one.process, {"TZ": "X"}))
    assert found.verdict == "same"
    assert found.to_json()["changed"][0] == {"name": "python", "recorded": "3.10.1", "replayed": PYTHON}
    assert render(found).splitlines()[3:7] == [
        "changed since the recording",
        f"  python: recorded 3.10.1, now {PYTHON}",
        "  variables.TZ: recorded empty, now X",
        "  set then, absent now: A, B",
    ]


# ---- order only ------------------------------------------------------------------------------------------------------


def missed(statement: str, was: list[object], now: list[object]) -> Report:
    recorded_one = exchange(1, statement, was)  # type: ignore[arg-type]  # values of a cassette
    source, log = session(recorded_one)
    source.miss(asked(statement, now), by())  # type: ignore[arg-type]
    return report(segment(ENTRY, recorded_one), log.events)


@pytest.mark.parametrize(
    ("was", "now", "is_order"),
    [
        (["{1,2,3}"], ["{3,1,2}"], True),
        (["1", "2", "9"], ["2", "1", "9"], True),
        (["{1,2}"], ["{1,3}"], False),
        (["1", "2"], ["2", "3"], False),
        (["1"], ["2"], False),
    ],
    ids=["array", "values that changed places", "another array", "another value", "one value"],
)
def test_a_miss_that_is_only_another_order_says_so(was: list[object], now: list[object], is_order: bool) -> None:
    found = missed("SELECT 1 WHERE id IN ($1)", was, now)
    assert (found.verdict, found.to_json()["misses"][0]["order_only"]) == ("deviates", is_order)
    assert ("  note      the same values in another order\n" in render(found)) is is_order
    assert (TO_DO_ORDER in render(found)) is is_order


@pytest.mark.parametrize(
    ("was", "now", "is_order"),
    [
        ({"body.$.user": "7"}, {"body.$.usr": "7"}, False),
        ({"body.a.head[0]": "a", "body.b.head[1]": "b"}, {"body.b.head[0]": "b", "body.a.head[1]": "a"}, True),
    ],
    ids=["another name", "parts that changed places"],
)
def test_a_value_under_another_name_is_no_other_order(was: dict[str, str], now: dict[str, str], is_order: bool) -> None:
    recorded_one = exchange(1)
    source, log = session(recorded_one, question=lambda _: named(was))
    source.miss(named(now), by())
    found = report(segment(ENTRY, recorded_one), log.events)
    assert found.to_json()["misses"][0]["order_only"] is is_order


def named(values: dict[str, str]) -> Question:
    slots = tuple(Slot(path, key=value, shown=value) for path, value in values.items())
    return replace(asked(), slots=slots)


@pytest.mark.parametrize(
    ("now", "is_order"),
    [
        ("SELECT \"name\", \"id\" FROM t WHERE kind IN ('b', 'a')", True),
        ("SELECT \"name\", \"id\" FROM t WHERE kind IN ('b', 'c')", False),
    ],
    ids=["another order", "another word"],
)
def test_a_miss_whose_statement_has_the_same_words_in_another_order_says_so(now: str, is_order: bool) -> None:
    recorded_one = exchange(1, "SELECT \"id\", \"name\" FROM t WHERE kind IN ('a', 'b')", [])
    source, log = session(recorded_one)
    source.miss(asked(now, []), by())
    found = report(segment(ENTRY, recorded_one), log.events)
    assert (found.verdict, found.to_json()["misses"][0]["order_only"]) == ("deviates", is_order)
    assert (TO_DO_ORDER in render(found)) is is_order


def test_a_difference_of_the_outcome_that_is_only_another_order_says_so() -> None:
    events = replayed(
        {"path": "body.$.tags", "recorded": ["a", "b"], "replayed": ["b", "a"]},
        {"path": "status", "recorded": 200, "replayed": 201},
    )
    found = report(WHOLE, events)
    assert found.verdict == "deviates"
    assert [each.get("order_only", False) for each in found.differences] == [True, False]
    assert "  body.$.tags: recorded ['a', 'b'], replayed ['b', 'a'] (the same values in another order)\n" in render(
        found
    )
