"""The promises that the folders make: layers, the registry, and how little an import costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import timetracer_otel
from timetracer_otel.drivers.registry import DRIVERS

PACKAGE = Path(timetracer_otel.__file__).parent
HEAVY = ("orjson", "zstandard", "psycopg", "starlette", "typer", "rich", "time_machine")


def imported_by(module: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after importing `module`."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_every_driver_folder_has_its_registry_line_and_the_other_way_round() -> None:
    folders = {path.name for path in (PACKAGE / "drivers").iterdir() if (path / "record.py").exists()}
    assert folders == set(DRIVERS)


def test_imports_point_up_the_list_of_the_design() -> None:
    root = PACKAGE.parent.parent
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", root / "pyproject.toml", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", ["timetracer_otel", "timetracer_otel.exporters", "timetracer_otel.wiring"])
def test_what_an_app_imports_at_start_loads_nothing_heavy(module: str) -> None:
    assert imported_by(module).isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["timetracer_otel", "timetracer_otel.pytest_plugin"])
def test_importing_the_package_or_the_plugin_does_not_even_load_opentelemetry(module: str) -> None:
    assert "opentelemetry" not in imported_by(module)


def test_no_driver_is_left_out_of_the_rule_that_drivers_do_not_know_each_other() -> None:
    rule = (PACKAGE.parent.parent / "pyproject.toml").read_text().partition('type = "independence"')[2]
    named = re.findall(r'"timetracer_otel\.drivers\.(\w+)"', rule.partition("]")[0])
    assert set(named) == set(DRIVERS)


def test_the_picture_of_the_layers_is_that_of_the_rule() -> None:
    root = PACKAGE.parent.parent
    rule = (root / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    layers = [line.replace("timetracer_otel.", "").split(" | ") for line in re.findall(r'"(.+)"', rule)]
    picture = _picture().partition("flowchart TB")[2]
    drawn = [names.split(", ") for names in re.findall(r"^  l\d+\[(.+?)\]", picture, re.MULTILINE)]
    assert drawn == layers
    assert re.findall(r" --> l(\d+)$", picture, re.MULTILINE) == [str(number) for number in range(2, len(layers) + 1)]


def test_files_that_the_picture_names_are_there() -> None:
    named = re.findall(r"\b((?:drivers|exporters|replay|capture)/[\w*/]*\.py)", _picture())
    assert len(named) > 8
    assert [name for name in named if not list(PACKAGE.glob(name))] == []


def _picture() -> str:
    return (PACKAGE.parent.parent / "docs" / "architecture.md").read_text()


def test_modules_stay_below_four_hundred_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
