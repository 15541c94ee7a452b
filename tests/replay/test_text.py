from __future__ import annotations

import pytest

from tests.replay.recordings import exchange
from timetracer_otel.replay.explain import reason_unfit
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.replay.text import TO_DO_CUT, TO_DO_NOT_KEPT, render


@pytest.mark.parametrize(
    ("reason", "to_do"),
    [("limit", TO_DO_CUT), ("in_flight", TO_DO_CUT), ("trace", TO_DO_CUT), ("stream", TO_DO_NOT_KEPT)],
)
def test_only_what_a_limit_cut_off_is_blamed_on_a_limit(reason: str, to_do: str) -> None:
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
