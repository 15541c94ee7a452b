"""Nothing that is printed drives a terminal, and nothing is lost by that."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.cli import output
from timetracer_otel.cli.output import json_text, one_line, print_table


def is_visible(text: str) -> bool:
    return not any(map(is_hidden, text))


@given(st.text(st.characters()))
def test_a_statement_is_one_visible_line(text: str) -> None:
    assert is_visible(one_line(text))


@given(st.recursive(st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_stays_the_same_value_and_is_safe(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert is_visible(text.replace("\n", ""))


def test_markup_in_a_table_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "b"], [["[red]x[/red]", ":smile:"]])
    assert capsys.readouterr().out.splitlines()[-1] == "[red]x[/red]   :smile:"


def test_without_a_terminal_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a"], [["x" * 500]], elastic=["a"])
    assert "x" * 500 in capsys.readouterr().out


CELLS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


@given(st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1, max_size=4)))
def test_without_a_terminal_a_table_is_that_of_rich(rows: list[tuple[str, ...]]) -> None:
    headings = ("heading", "", "h")[: len(rows[0])]
    plain = output._plain_lines(headings, rows)
    assert plain is not None
    assert [line.rstrip() for line in plain] == [line.rstrip() for line in output._fitted_lines(headings, rows, ())]


@pytest.mark.parametrize("cell", ["漢字", "é", "a\nb", "\t"])
def test_a_cell_of_unknown_width_is_left_to_rich(cell: str) -> None:
    assert output._plain_lines(["a"], [[cell]]) is None
