from __future__ import annotations

from dataclasses import replace

import pytest

from tests.replay.recordings import END_NS, ROOT, START_NS, cassette, exchange, segment
from timetracer_otel.errors import CassetteNotFound, ReplayError, UsageError, WireError
from timetracer_otel.replay.bootstrap import end_ns, error_json, pick


def test_the_only_segment_need_not_be_named() -> None:
    assert pick(cassette(segment()), None).id == ROOT
    assert pick(cassette(segment()), ROOT).id == ROOT


def test_of_several_segments_one_must_be_named_and_the_message_lists_them() -> None:
    two = cassette(segment(), replace(segment(), id="a" * 16))
    assert pick(two, "a" * 16).id == "a" * 16
    with pytest.raises(ReplayError, match=r"2 segments \(7f3a0000/52fd0000 GET /orders/\{id\}, 7f3a0000/aaaaaaaa"):
        pick(two, None)


def test_a_segment_ends_with_its_last_span_or_answer() -> None:
    assert end_ns(segment()) == END_NS
    late = exchange(1, at_ns=END_NS - START_NS + 5, duration_ns=7)
    assert end_ns(segment(late)) == END_NS + 12


@pytest.mark.parametrize(
    "error",
    [
        ReplayError("--app x", "no module", "name it"),
        UsageError("TIMETRACER_CASSETTE", "it needs one", "set it"),
        CassetteNotFound("7f3a", "cassettes"),
        WireError("postgres: bad length"),
        WireError("no colon"),
    ],
)
def test_every_error_crosses_the_journal_in_three_parts(error: ReplayError | UsageError | WireError) -> None:
    parts = error_json(error)
    assert set(parts) == {"where", "problem", "advice"}
    assert all(parts.values())
    assert str(error).rpartition("; ")[0] in str(ReplayError(**parts))
