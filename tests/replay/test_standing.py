from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.replay.standing import Standing

texts = st.text("ab1", min_size=1, max_size=6)
pairs = st.tuples(texts, texts)


def shares(one: str, other: str) -> bool:
    return one in other or other in one


@given(st.lists(pairs, max_size=8), pairs)
def test_kin_are_the_pairs_of_which_a_side_is_a_part_of_the_new_one_s_or_has_it_as_a_part(
    known: list[tuple[str, str]], new: tuple[str, str]
) -> None:
    standing = Standing()
    for pair in known:
        standing.add(*pair)
    there = dict(known)
    if there.get(new[0]) == new[1]:
        assert standing.kin(*new) == [new]
    else:
        expected = [each for each in there.items() if shares(each[0], new[0]) or shares(each[1], new[1])]
        assert standing.kin(*new) == expected
