from __future__ import annotations

from dataclasses import replace

import pytest

from tests.replay.recordings import END_NS, ROOT, START_NS, cassette, exchange, segment
from timetracer_otel.cassette import end_ns
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay.bootstrap import pick


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
