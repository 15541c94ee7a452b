from __future__ import annotations

import pytest

from tests.replay.recordings import exchange
from timetracer_otel.replay.explain import reason_unfit
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.replay.text import (
    TO_DO_CUT,
    TO_DO_LOST,
    TO_DO_NEW,
    TO_DO_NO_ROOM,
    TO_DO_NOT_KEPT,
    TO_DO_UNREDACTABLE,
    render,
)


@pytest.mark.parametrize(
    ("reason", "to_do"),
    [
        *((reason, TO_DO_CUT) for reason in ("limit", "in_flight", "trace", "environment")),
        *((reason, TO_DO_NO_ROOM) for reason in ("store", "store_max", "free_min")),
        ("unredactable", TO_DO_UNREDACTABLE),
        *((reason, TO_DO_LOST) for reason in ("encode", "spill", "open", "interrupted")),
        ("stream", TO_DO_NOT_KEPT),
    ],
)
def test_what_to_do_about_a_missing_payload_goes_by_the_reason(reason: str, to_do: str) -> None:
    note = reason_unfit(exchange(1, dropped={"reason": reason, "size": 7}))
    assert note is not None
    miss = Miss({"text": "SELECT 1", "values": []}, "shop.py:1 f", "GET", None, (), note, is_cut=True)
    report = Report("cassettes/7f3a", "52fd", "inconclusive", misses=(miss,))
    assert f"  to do     {to_do}\n" in render(report)


def test_an_answer_that_was_still_open_is_not_blamed_on_a_limit() -> None:
    note = reason_unfit(exchange(1, complete=False))
    assert note is not None
    miss = Miss({"text": "SELECT 1", "values": []}, "shop.py:1 f", "GET", None, (), note, is_cut=True)
    assert TO_DO_NOT_KEPT in render(Report("cassettes/7f3a", "52fd", "inconclusive", misses=(miss,)))


def test_what_nothing_is_like_may_have_been_asked_before_the_request() -> None:
    request = {"lib": "pymongo", "method": "createIndexes", "text": "x", "values": []}
    miss = Miss(request, "a.py:1 f", "GET", None, (), "")
    assert f"  to do     {TO_DO_NEW}\n" in render(Report("cassettes/7f3a", "52fd", "deviates", misses=(miss,)))
