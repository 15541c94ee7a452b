from __future__ import annotations

import random
import uuid

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from timetracer_otel.cassette.model import Generated
from timetracer_otel.replay.identity import RecordedIds, ReplayIdGenerator

FIRST, THIRD = uuid.UUID(int=1), uuid.UUID(int=3)


def recorded(made: list[uuid.UUID]) -> RecordedIds:
    return RecordedIds(
        [Generated("uuid4", "shop:order", 0, FIRST.hex), Generated("uuid4", "shop:order", 2, THIRD.hex)], made.append
    )


def test_recorded_ids_are_given_back_by_call_site_and_number_of_the_call() -> None:
    made: list[uuid.UUID] = []
    ids = recorded(made)
    other = ids.next("library:thread_id")
    given = [ids.next("shop:order") for _ in range(4)]
    assert (given[0], given[2]) == (FIRST, THIRD)
    assert made == [other, given[1], given[3]]
    assert all(each.version == 4 for each in made)


def test_a_seeded_app_sees_the_same_numbers_and_ids_never_repeat() -> None:
    def numbers(generator: RandomIdGenerator) -> tuple[list[int], list[int]]:
        random.seed(7)
        ids = [generator.generate_trace_id(), generator.generate_span_id(), generator.generate_span_id()]
        return [random.getrandbits(32) for _ in range(3)], ids

    replayed = ReplayIdGenerator(entry_drew_trace_id=True)
    recorded_numbers, recorded_ids = numbers(RandomIdGenerator())
    replayed_numbers, replayed_ids = numbers(replayed)
    assert replayed_numbers == recorded_numbers
    assert not set(recorded_ids) & set(replayed_ids)
    assert not set(replayed_ids) & set(numbers(replayed)[1])


def test_an_entry_that_had_its_trace_id_from_a_caller_draws_none() -> None:
    def number(generator: RandomIdGenerator, draws_trace_id: bool) -> int:
        random.seed(7)
        if draws_trace_id:
            generator.generate_trace_id()
        generator.generate_span_id()
        return random.getrandbits(32)

    replayed = ReplayIdGenerator(entry_drew_trace_id=False)
    replayed.is_entry = True
    assert number(replayed, True) == number(RandomIdGenerator(), False)
