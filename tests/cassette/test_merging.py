from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.samples import (
    CHILD_ID,
    ENVIRONMENT_PART,
    PROCESS,
    ROOT_ID,
    ROOT_PART,
    START_NS,
    TRACE_ID,
    part,
    query,
    span,
)
from tests.cassette.strategies import environment_parts
from tests.cassette.strategies import parts as any_parts
from timetracer_otel.cassette import (
    Connection,
    Entry,
    Environment,
    EnvironmentPart,
    Generated,
    Part,
    Process,
    Segment,
    merge,
    start_ns,
)

EARLY = part(
    0, complete=False, spans=(span(CHILD_ID, START_NS + 1000),), exchanges=(query(1), query(2, complete=False))
)
ROOT = part(1, spans=(span(ROOT_ID),), exchanges=(query(3),), entry=Entry("http.server", "GET /", "200"))
LATE = part(2, exchanges=(query(2, rev=1, total="99"),), dropped={"limit": 2})
OTHER = replace(
    part(0), segment="c3" * 8, process=replace(PROCESS, id="77" * 16), spans=(span("c3" * 8, START_NS - 5),)
)


def only(*parts: Part) -> Segment:
    (segment,) = merge(TRACE_ID, parts).segments
    return segment


def test_parts_in_any_order_give_the_same_cassette() -> None:
    parts = [EARLY, ROOT, LATE, OTHER]
    environments = [ENVIRONMENT_PART, replace(ENVIRONMENT_PART, part=1, exchanges=(query(0, rev=1),))]
    first = merge(TRACE_ID, parts, environments)
    for order in permutations(parts):
        assert merge(TRACE_ID, order, environments[::-1]) == first


@given(
    st.lists(any_parts, max_size=4, unique_by=lambda part: (part.segment, part.process.id, part.part)),
    st.lists(environment_parts, max_size=4, unique_by=lambda part: (part.process.id, part.part)),
    st.randoms(use_true_random=False),
)
def test_the_order_of_any_parts_does_not_matter(
    parts: list[Part], environments: list[EnvironmentPart], random: Random
) -> None:
    parts = [replace(part, trace_id=TRACE_ID) for part in parts]
    first = merge(TRACE_ID, parts, environments)
    random.shuffle(parts)
    random.shuffle(environments)
    assert repr(merge(TRACE_ID, parts, environments)) == repr(first)


def test_segments_stand_in_the_order_of_their_starts() -> None:
    unstarted = replace(part(0), segment="00" * 8)
    cassette = merge(TRACE_ID, [unstarted, ROOT_PART, OTHER])
    assert [segment.id for segment in cassette.segments] == [OTHER.segment, ROOT_ID, "00" * 8]


def test_a_segment_without_its_root_began_with_its_earliest_span() -> None:
    assert start_ns(only(EARLY)) == START_NS + 1000
    assert start_ns(only(EARLY, ROOT)) == START_NS


def test_the_account_of_an_exchange_with_the_highest_rev_wins_wherever_it_stands() -> None:
    answered = query(2, rev=2, total="1")
    for parts in ([part(0, exchanges=(answered,)), part(1, exchanges=(query(2, rev=1),))], [EARLY, LATE]):
        exchanges = {exchange.id: exchange.rev for exchange in only(*parts).exchanges}
        assert exchanges["9f9f9f9f-2"] == max(exchange.rev for part in parts for exchange in part.exchanges)


def test_exchanges_stand_in_the_order_of_their_starts_then_of_their_numbers() -> None:
    same_time = [replace(query(number), at_ns=5) for number in (10, 2, 9)]
    segment = only(part(0, exchanges=(query(1), *same_time)))
    assert [exchange.id.partition("-")[2] for exchange in segment.exchanges] == ["2", "9", "10", "1"]


def test_a_late_answer_makes_a_segment_complete() -> None:
    assert not only(EARLY, ROOT).complete
    assert only(EARLY, ROOT, LATE).complete


def test_a_segment_whose_root_was_written_last_is_complete() -> None:
    assert only(replace(EARLY, exchanges=()), ROOT).complete


def test_a_segment_whose_process_was_killed_is_usable_and_incomplete() -> None:
    segment = only(replace(EARLY, complete=True, exchanges=(query(1),)))
    assert (segment.complete, segment.root, len(segment.exchanges)) == (False, None, 1)


def test_a_segment_that_says_so_is_incomplete() -> None:
    assert not only(replace(ROOT_PART, complete=False)).complete


def test_a_segment_with_a_lost_part_is_incomplete() -> None:
    assert not only(ROOT, LATE).complete
    assert not only(replace(EARLY, exchanges=()), replace(ROOT, part=2)).complete


def test_what_parts_say_one_after_the_other_is_put_together() -> None:
    segment = only(
        part(
            0,
            complete=False,
            resource={"service.name": "shop"},
            connections=(Connection(1, "psycopg", "db", {}),),
            generated=(Generated("uuid4", "shop.py:1", 0, "a"),),
            dropped={"limit": 1, "encode": 1},
        ),
        replace(
            ROOT,
            connections=(Connection(1, "psycopg", "db", {"database": "shop"}), Connection(0, "psycopg", "db", {})),
            generated=(Generated("uuid4", "shop.py:1", 1, "b"),),
            parent_segment="d4" * 8,
        ),
        LATE,
    )
    assert segment.parts == (0, 1, 2)
    assert segment.resource == {"service.name": "shop"}
    assert segment.entry == Entry("http.server", "GET /", "200")
    assert segment.parent_segment == "d4" * 8
    assert [connection.number for connection in segment.connections] == [0, 1]
    assert segment.connections[1].parameters == {"database": "shop"}
    assert [made.value for made in segment.generated] == ["a", "b"]
    assert segment.dropped == {"limit": 3, "encode": 1}


def test_a_part_of_another_trace_is_refused() -> None:
    with pytest.raises(ValueError, match=f"a part of trace {TRACE_ID} among those of {'0' * 32}"):
        merge("0" * 32, [ROOT_PART])


def test_environments_are_put_together_by_process() -> None:
    later = EnvironmentPart(PROCESS, 1, (query(5),), (Connection(2, "psycopg", "db"),), {"limit": 1})
    (environment,) = merge(TRACE_ID, [ROOT_PART], [later, ENVIRONMENT_PART]).environments.values()
    assert [exchange.id for exchange in environment.exchanges] == ["9f9f9f9f-0", "9f9f9f9f-5"]
    assert (len(environment.connections), environment.dropped) == (1, {"limit": 1})


def test_a_forked_child_has_the_environment_of_its_parent() -> None:
    child = Process(id="11" * 16, parent=PROCESS.id)
    cassette = merge(TRACE_ID, [replace(ROOT_PART, process=child)], [ENVIRONMENT_PART])
    inherited = Environment(PROCESS, ENVIRONMENT_PART.exchanges)
    assert cassette.environment_of(cassette.segments[0]) == (inherited, Environment(child))
