"""Case R17: arguments as the worker saw them, exact in type and repr, never by pickle."""

from __future__ import annotations

import pickle
import uuid
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import signature
from hypothesis import given
from hypothesis import strategies as st
from kombu import serialization

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette import Exchange, Signature, dump_exchange, values
from timetracer_otel.drivers.celery.codec import CODEC
from timetracer_otel.drivers.celery.heard import NOTHING, HeardOutcome, HeardTask
from timetracer_otel.drivers.celery.typed import Snapshot, TooLarge, restore, unkept

KOMBU: Any = serialization
"""It has no types."""
ODD: list[Any] = [
    {1: Decimal("1.10"), (2, 3): None},
    date(2024, 2, 29),
    uuid.UUID(int=7),
    datetime(2024, 2, 29, 12, tzinfo=timezone.utc),
    datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2024, 2, 29, 12, tzinfo=timezone(timedelta(hours=1), "MET")),
    datetime(2024, 2, 29, 12, 0, 0, 1),
    time(1, 2, 3, 4),
    timedelta(days=-1, microseconds=5),
    b"\x00\xff",
    bytearray(b"x"),
    (1, [2, (3,)], {"a": (4,)}),
    2**70,
    {frozenset({1}), frozenset({frozenset()})},
    complex(1, -2),
    {"python": "tuple", "items": [1]},
    float("inf"),
    -0.0,
    "\ud800",
    True,
]


def kept(value: Any) -> Any:
    """As it comes out of a cassette."""
    return restore(values.decode(values.encode(Snapshot(10**6).of(value))))


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_r17_a_value_comes_back_with_its_type_and_repr(value: Any) -> None:
    assert repr(kept(value)) == repr(value)
    assert type(kept(value)) is type(value)


@pytest.mark.parametrize("serializer", ["json", "yaml", "msgpack", "pickle"])
def test_r17_what_a_worker_got_through_each_serializer_is_kept(serializer: str) -> None:
    plain: list[Any] = [{"a": 1.5}, [None, True], "x", 7]
    odd = ODD[:4] if serializer in ("json", "pickle") else plain
    sent = [plain, odd if serializer == "pickle" else odd[1:]]
    content_type, encoding, body = KOMBU.dumps(sent, serializer=serializer)
    received = KOMBU.loads(body, content_type, encoding, accept=[content_type])
    assert repr(kept(received)) == repr(received)


leaves = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.decimals(allow_nan=False) | st.dates()
nested = st.recursive(
    leaves | st.datetimes() | st.timedeltas() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(nested)
def test_r17_any_value_of_these_types_comes_back(value: Any) -> None:
    assert repr(kept(value)) == repr(value)


class Order:
    def __reduce__(self) -> Any:
        raise AssertionError("it was pickled")

    def __repr__(self) -> str:
        raise AssertionError("the application's own code was run")


def test_r17_what_cannot_be_kept_is_named_where_it_stands_and_nothing_of_it_is_run() -> None:
    snapshot = Snapshot(10**6).of([1, {"order": Order()}])
    assert list(unkept(snapshot, "args")) == [("args[1].order", f"{__name__}.Order")]
    assert list(unkept(Snapshot(10**6).of((1, (2, Order()))), "args")) == [("args[1][1]", f"{__name__}.Order")]


def test_a_signature_comes_back_as_one() -> None:
    sent = signature("shop.add", args=(1,), options={"task_id": "x"})
    assert repr(kept(sent)) == repr(sent)
    assert type(kept(sent)) is type(sent)


def test_a_value_that_is_too_large_or_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in ("x" * 1001, endless):
        with pytest.raises(TooLarge):
            Snapshot(1000).of(value)


def test_damaged_data_raises_what_restore_says() -> None:
    from timetracer_otel.drivers.celery.typed import RESTORE_ERRORS

    damaged: list[Any] = [{"python": "nothing"}, {"python": "Decimal", "text": "x"}, {"python": "UUID"}]
    damaged += [{"python": "dict", "items": [[{"python": "dict", "items": []}, 1]]}, {"python": ["x"]}]
    for value in damaged:
        with pytest.raises(RESTORE_ERRORS):
            restore(value)


def test_nothing_of_it_needs_pickle() -> None:
    with pytest.raises(AssertionError):
        pickle.dumps(Order())


ARGUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("$a\ud800") | st.binary() | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("$ak"), inner, max_size=4) | st.tuples(inner),
    max_leaves=20,
)


@given(ARGUMENTS, st.sampled_from(["noop", "$noop"]))
def test_a_task_that_is_written_without_a_look_is_written_as_any_other(value: Any, name: str) -> None:
    """`is_plain` saves the look at floats, marks and depth: where it is set, that look would find nothing."""
    fields = {"args": [value], "kwargs": {"k": value}, "task": name, "id": "1", "headers": value, "eta": None}
    captured = Captured("celery", HeardTask(None, name, fields, False))
    captured.result = HeardOutcome("SUCCESS", value, None, NOTHING)
    encoded = CODEC.encode(captured)
    signature = Signature(encoded.lib, encoded.method, encoded.url)
    exchange = Exchange("1", encoded.type, signature, encoded.request, encoded.result)
    assert dump_exchange(exchange, encoded.is_plain) == dump_exchange(exchange)


def test_most_tasks_are_written_without_a_look() -> None:
    fields = {"args": [1, "a", None], "kwargs": {"b": [True]}, "timelimit": [None, None], "delivery_info": {"key": "q"}}
    captured = Captured("celery", HeardTask(None, "noop", fields, False))
    captured.result = HeardOutcome("SUCCESS", {"a": 1}, None, NOTHING)
    assert CODEC.encode(captured).is_plain


CHAIN = {"task": "next", "args": [1], "kwargs": {}}


@pytest.mark.parametrize(("field", "value"), [("chain", [CHAIN]), ("chord", CHAIN), ("callbacks", [{"a": [CHAIN]}])])
def test_a_task_in_the_options_of_another_one_is_found(field: str, value: Any) -> None:
    assert not HeardTask(None, "noop", {"args": [], "kwargs": {}, field: value}, False).is_alone
    assert HeardTask(None, "noop", {"args": [], "kwargs": {}, field: None}, False).is_alone
