"""Which libraries the launcher leaves out, told from this environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from timetracer_otel.drivers.registry import DRIVERS
from timetracer_otel.instrumentation import instrumentors, is_off, switched_off, traces_by_itself

OFF = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


@pytest.mark.parametrize(
    ("names", "expected"), [("", False), ("redis", False), ("redis, psycopg", True), ("*", True), ("psycopg2", False)]
)
def test_names_are_read_as_the_launcher_reads_them(names: str, expected: bool) -> None:
    assert is_off("psycopg", {OFF: names}) is expected
    assert is_off("psycopg", {}) is False


def test_what_is_left_out_is_named_once() -> None:
    assert switched_off({OFF: "psycopg,kafka"}) == ["psycopg"]
    assert switched_off({}) == []
    assert "psycopg" in switched_off({OFF: "*"})


def test_the_instrumentors_of_a_driver_have_the_names_of_their_libraries() -> None:
    assert [one.name for one in instrumentors(DRIVERS["psycopg"])] == ["psycopg"]


@pytest.mark.parametrize("has_telemetry", [True, False])
def test_a_fastapi_with_telemetry_of_its_own_traces_by_itself(
    has_telemetry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fastapi"
    (folder / "telemetry" if has_telemetry else folder).mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "fastapi"]:
        monkeypatch.delitem(sys.modules, name)
    assert traces_by_itself("fastapi") is has_telemetry
    assert not traces_by_itself("starlette")
    assert not traces_by_itself("absent")
