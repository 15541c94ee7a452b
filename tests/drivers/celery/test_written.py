from __future__ import annotations

import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from timetracer_otel.cassette.escaping import shown
from timetracer_otel.drivers.celery.typed import Snapshot
from timetracer_otel.drivers.celery.written import written


class Order: ...


VALUES: list[Any] = [
    *(1, "a 'quoted' text", None, [1.5, {"k": (1,)}], (), (1,), (1, "x"), set(), {3}, frozenset(), frozenset({"a"})),
    *({1: "a", (2, 3): [b"x"]}, Decimal("1.50"), uuid.UUID(int=5), date(2026, 1, 2)),
    *(datetime(2026, 1, 2, tzinfo=timezone.utc), bytearray(b"ab")),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_shown_as_python_writes_it(value: Any) -> None:
    assert shown(written(Snapshot(10**6).of(value))) == repr(value)


def test_what_could_not_be_kept_is_shown_as_that() -> None:
    assert shown(written(Snapshot(10**6).of([(1, Order())]))) == f"[(1, <{__name__}.Order, not kept>)]"


@pytest.mark.parametrize(
    "odd",
    [
        {"python": "Decimal", "text": "no number"},
        {"python": "tuple", "items": 5},
        {"python": "datetime", "text": "2026-01-02", "zone": {"key": "../etc"}},
        {"python": ["?"]},
        {"python": None},
    ],
)
def test_what_we_did_not_write_is_shown_as_it_stands(odd: Any) -> None:
    assert shown(written(odd)) == shown(odd)
