from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timetracer_otel.redaction.names import NAMES, Names
from timetracer_otel.redaction.near_names import NearNames
from timetracer_otel.redaction.shapes import secret_shapes

OWN = Names(["customerId", "x", "a_b_c"], ["token"])
PIECES = ("token", "Access-Token", "api key", "csrfToken", "_", "-", " ", "=", "='", "'", '"', ": ", "x", "\\n", "\n")


def shape(names: Names) -> NearNames:
    """That of assignments, the last one."""
    return [each for each in secret_shapes(names) if isinstance(each, NearNames)][-1]


def mark(rule: str, secret: bytes) -> bytes:
    return b"[redacted:%b#000000]" % rule.encode()


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.sampled_from([Names(), OWN]))
@example("aws_secret_access_key=x aws-secret-access-key = 'y'", Names())
@example("mytoken=1 my-token=2 my token=3 \\ntoken=4", Names())
def test_it_hits_what_one_search_over_all_would_hit(text: str, names: Names) -> None:
    near, data = shape(names), text.encode()
    plain = near._pattern.sub(partial(_masked, near), data)
    assert near.apply(data, mark) == plain


def _masked(near: NearNames, match: re.Match[bytes]) -> bytes:
    return near._masked(match, mark)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("style", ["_", "-", " ", ""])
def test_each_name_in_each_style_is_found(name: str, style: str) -> None:
    text = f"{name.replace('_', style).title()}='abc'".encode()
    assert b"abc" not in shape(Names()).apply(text, mark)
