from __future__ import annotations

from dataclasses import replace

from tests.replay.recordings import END_NS, ROOT, START_NS, cassette, exchange, segment, span
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.replay.library import descendants, heads, with_children

CHILD, GRANDCHILD, OTHER = "b" * 16, "c" * 16, "d" * 16
LATER_NS = 1_000_000


def forked(own: str, parent: str | None, number: int) -> Segment:
    """A segment of a process that was forked inside `parent`; it began a millisecond later."""
    root = replace(span(own, "child", parent), start_ns=START_NS + LATER_NS, end_ns=END_NS)
    one = exchange(number, "SELECT $1", [str(number)], at_ns=5, span_id=own)
    return replace(segment(one), id=own, spans=(root,), parent_segment=parent, entry=None)


def of(*segments: Segment) -> Cassette:
    return cassette(segment(exchange(1)), *segments)


def test_what_forked_processes_asked_belongs_to_the_segment_in_its_own_time() -> None:
    recorded = of(forked(CHILD, ROOT, 2), forked(GRANDCHILD, CHILD, 3), forked(OTHER, None, 4))
    whole = with_children(recorded, recorded.segments[0])
    assert [(each.id, each.at_ns) for each in whole.exchanges] == [
        ("p-1", 10_000),
        ("p-2", LATER_NS + 5),
        ("p-3", LATER_NS + 5),
    ]
    assert [each.span_id for each in whole.spans] == [ROOT, CHILD, GRANDCHILD]
    assert with_children(recorded, whole) == with_children(recorded, recorded.segments[0])


def test_only_what_stands_for_itself_is_to_be_chosen_from() -> None:
    recorded = of(forked(CHILD, ROOT, 2), forked(GRANDCHILD, CHILD, 3), forked(OTHER, None, 4))
    assert [each.id for each in heads(recorded)] == [ROOT, OTHER]


def test_a_gap_in_a_child_is_one_of_the_replay() -> None:
    recorded = of(replace(forked(CHILD, ROOT, 2), complete=False, dropped={"encode": 2}))
    whole = with_children(recorded, recorded.segments[0])
    assert (whole.complete, whole.dropped) == (False, {"encode": 2})


def test_segments_that_name_each_other_as_parents_are_no_endless_family() -> None:
    recorded = cassette(forked(CHILD, GRANDCHILD, 1), forked(GRANDCHILD, CHILD, 2))
    assert [each.id for each in descendants(recorded, recorded.segments[0])] == [GRANDCHILD]
    assert [each.id for each in heads(recorded)] == [CHILD, GRANDCHILD]
