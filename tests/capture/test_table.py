"""Exchanges that are taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.capture.table import Captured, take_out


class Unwalked(list[Captured]):
    """A list that nobody may search from its beginning."""

    def _walked(self, *_: object) -> NoReturn:
        raise AssertionError("all of it was looked at")

    __contains__: Callable[..., NoReturn] = _walked
    index = remove = __iter__ = _walked


def captured(number: int) -> Captured:
    made = Captured("fake", "request")
    made.number = number
    return made


@given(st.permutations(range(30)))
def test_an_exchange_is_taken_out_without_a_look_at_all_that_came_before(order: list[int]) -> None:
    several = [captured(number) for number in range(100, 400, 10)]
    exchanges = Unwalked(several)
    for place in order:
        assert take_out(exchanges, several[place])
    assert len(exchanges) == 0


@given(st.lists(st.integers(0, 20), max_size=20), st.data())
def test_one_that_came_back_behind_younger_ones_is_found_and_no_other(numbers: list[int], data: st.DataObject) -> None:
    exchanges = [captured(number) for number in numbers]
    wanted = data.draw(st.sampled_from(exchanges)) if exchanges else captured(1)
    left = [each for each in exchanges if each is not wanted]
    assert take_out(exchanges, wanted) is bool(numbers)
    assert exchanges == left
    assert not take_out(exchanges, wanted)
