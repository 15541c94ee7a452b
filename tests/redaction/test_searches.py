"""The prefilter of names may take anything for a name, but never a name for nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.redaction.names import NAMES, Names

BUILT_IN = Names()
OWN = Names(extra=("customer_id", "straße", "客户"))
CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.title)


@pytest.mark.parametrize("style", ["_", "-", " ", ""])
def test_each_name_is_found_in_every_style_and_case(style: str) -> None:
    for name in NAMES:
        for spelled in (case(name.replace("_", style)) for case in CASES):
            assert BUILT_IN.holds(spelled.encode()), spelled
            assert BUILT_IN.holds_text(spelled), spelled


@given(st.sampled_from(NAMES), st.sampled_from(CASES), st.text(), st.text())
def test_each_name_is_found_whatever_stands_around_it(
    name: str, case: Callable[[str], str], before: str, after: str
) -> None:
    text = before + case(name) + after
    assert BUILT_IN.holds_text(text)
    assert BUILT_IN.holds(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(NAMES), st.binary(), st.binary())
def test_each_name_is_found_in_any_bytes(name: str, before: bytes, after: bytes) -> None:
    assert BUILT_IN.holds(before + name.encode() + after)


@pytest.mark.parametrize("name", ["customer_id", "CUSTOMER-ID", "straße", "客户"])
def test_names_of_a_rule_file_are_found(name: str) -> None:
    assert OWN.holds_text(f"é {name}=1")
    assert OWN.holds(f"é {name}=1".encode())
    assert not BUILT_IN.holds_text(name)


@given(st.sampled_from((*NAMES, "customer_id")), st.sampled_from("-_ "), st.sampled_from(CASES), st.text(), st.text())
def test_a_name_is_found_as_well_when_all_separators_are_taken_out(
    name: str, style: str, case: Callable[[str], str], before: str, after: str
) -> None:
    data = (before + case(name.replace("_", style)) + after).encode("utf-8", "surrogatepass")
    assert OWN.holds(data)
    assert OWN.holds(data.translate(None, b"-_ "))


def test_what_only_resembles_a_name_needs_no_look() -> None:
    assert not BUILT_IN.holds_text("keyboard, monkey, access, private, author, sign, stoke, cook, pass, secrecy")
