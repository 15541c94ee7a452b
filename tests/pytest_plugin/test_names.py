"""From the id of a test to a file (R31)."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.pytest_plugin.names import cassette_of, file_name

NASTY = ["../../x", "/abs", "a:b*?", "x" * 400, "\u00e9", "e\u0301", "ID", "id", "con", "", "\x00", "\ud800", "a\\b"]


def test_r31_each_id_has_a_file_of_its_own_whatever_the_file_system_makes_of_names() -> None:
    names = [file_name(f"test_x[{each}]") for each in NASTY]
    assert len({name.lower() for name in names}) == len(NASTY)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,90}\.cassette\.json", name) for name in names)


def test_r31_a_name_is_the_same_in_every_release() -> None:
    path = cassette_of(Path("tests/test_orders.py"), "TestOrders::test_load[42]", "cassettes")
    assert path.as_posix() == "tests/cassettes/test_orders/testorders-test-load-42-5514d628362b.cassette.json"


@given(st.text())
def test_r31_no_id_leaves_the_folder(test: str) -> None:
    path = cassette_of(Path("tests/test_x.py"), test, "cassettes")
    assert path.parent == Path("tests/cassettes/test_x")
    assert len(path.name) < 100
