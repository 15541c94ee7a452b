from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.order import is_reordered

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.floats(0, 1) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=1), inner, max_size=2),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2], [2, 1], True),
        ([{"a": 1, "b": 2}, 3], [3, {"b": 2, "a": 1}], True),
        ("{a,b,b}", "{b,a,b}", True),
        ([1, 2], [1, 2], False),
        ([1, 1, 2], [1, 2, 2], False),
        ([1, 2], [2.0, 1], False),
        ([1, True], [True, 1.0], False),
        ("{a,b}", "{a,c}", False),
        ("a,b", "b,a", False),
        ([1], 1, False),
    ],
)
def test_only_another_order_of_the_same_values_counts(a: Any, b: Any, expected: bool) -> None:
    assert is_reordered(a, b) is expected


@given(st.lists(ANY, max_size=5), st.randoms())
def test_a_shuffled_list_is_reordered_or_the_same(values: list[Any], random: Any) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert is_reordered(values, shuffled) or repr(shuffled) == repr(values) or shuffled == values
    assert not is_reordered(values, [*shuffled, 0])
