from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.comparison import alignment
from timetracer_otel.comparison.alignment import align, gaps

words = st.lists(st.sampled_from("abcd"), max_size=9)


def longest(a: Sequence[str], b: Sequence[str]) -> int:
    """As a textbook has it."""
    rows = [0] * (len(b) + 1)
    for one in a:
        before = 0
        for index, other in enumerate(b, start=1):
            before, rows[index] = rows[index], before + 1 if one == other else max(rows[index], rows[index - 1])
    return rows[-1]


@given(words, words)
def test_as_many_equal_items_are_paired_as_can_be(a: list[str], b: list[str]) -> None:
    pairs = align(a, b)
    assert [a[left] for left, _ in pairs] == [b[right] for _, right in pairs]
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in itertools.pairwise(pairs))
    assert len(pairs) == longest(a, b)


@given(words, words)
def test_pairs_and_gaps_are_the_whole(a: list[str], b: list[str]) -> None:
    pairs = align(a, b)
    between = list(gaps(pairs, len(a), len(b)))
    for side, whole in enumerate((a, b)):
        found = [pair[side] for pair in pairs] + [index for gap in between for index in gap[side]]
        assert sorted(found) == list(range(len(whole)))
    assert all(any(gap) for gap in between)


def test_an_item_that_is_missing_early_leaves_the_rest_in_line() -> None:
    rest = [str(number) for number in range(10)]
    assert align(["begin", *rest], rest) == [(index + 1, index) for index in range(10)]


@given(words, words)
def test_where_much_differs_the_pairs_are_still_equal_and_in_order(a: list[str], b: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "CHANGES_MAX", 1)
        pairs = align(a, b)
    assert [a[left] for left, _ in pairs] == [b[right] for _, right in pairs]
    assert all(one[0] < other[0] and one[1] < other[1] for one, other in itertools.pairwise(pairs))
    assert len(pairs) == longest(a, b)  # none occurs more often than it may move


def test_calls_that_are_repeated_in_two_places_leave_the_rest_in_line() -> None:
    rounds = [*"abc"] * 1_000
    more = [*rounds[:300], *["b"] * 40, *rounds[300:2_000], *["b"] * 40, *rounds[2_000:]]
    pairs = align(rounds, more)
    assert len(pairs) == len(rounds)


def test_twenty_thousand_calls_of_three_statements_take_no_minutes() -> None:
    chance = random.Random(1)
    a, b = ([chance.randrange(3) for _ in range(20_000)] for _ in range(2))
    began = time.thread_time()
    assert len(align(a, b)) > 8_000
    assert time.thread_time() - began < 10
