from __future__ import annotations

from pathlib import Path

from tests import cases


def test_every_case_has_a_test_and_no_test_names_another() -> None:
    found = cases.shown_by()
    assert found.keys() == cases.TITLES.keys()
    assert [number for number, tests in found.items() if not tests] == []


def test_a_test_shows_each_case_that_its_name_has_and_a_helper_none(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_r05_r07_x(): ...\nasync def test_r99_y(): ...\ndef r06_z(): ...\n")
    found = cases.shown_by(tmp_path)
    name = f"{tmp_path.name}/test_a.py::test_r05_r07_x"
    assert {number: tests for number, tests in found.items() if tests} == {
        "R05": [name],
        "R07": [name],
        "R99": [f"{tmp_path.name}/test_a.py::test_r99_y"],
    }
