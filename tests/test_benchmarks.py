"""The benchmarks run, say what came of them, and their check for regressions fails when it should."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.demonstration import ROOT

FOLDER = ROOT / "benchmarks"
TIMEOUT_S = 240
ROW = "starlette in process"
CHECKS = f"""
import sys
from pathlib import Path
import check
check.ROUNDS, check.BATCH_S = 3, 0.01
for kept in sys.argv[1:]:
    print(check.main(["{ROW}"], "CPU time", Path(kept)))
"""


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Gives a module of the benchmarks by its name. (Any: they are no package.)"""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(FOLDER)
    yield import_module
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_a_row_is_measured_and_kept_with_its_verdict(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = python("run.py", ROW, "--rounds", "2", "--batch", "0.01", "--json", file)
    assert done.returncode == 0, done.stderr
    found = {each["contestant"]: each for each in json.loads(file.read_text())["figures"] if each["row"] == ROW}
    assert found.keys() >= {"plain", "otel", "recorded", "errors"}
    assert (found["otel"]["middle"], found["otel"]["verdict"]) == (1.0, "")
    assert found["recorded"]["verdict"].startswith("1.25, ")
    assert f"| {ROW} | recorded | " in done.stdout
    assert "goals reached" in done.stdout


def test_every_row_has_a_name_of_its_own() -> None:
    done = python("run.py", "--list")
    rows = done.stdout.splitlines()
    assert len(rows) == len(set(rows)) > 30, done.stderr
    assert {"asyncpg 1 rows", "S3 get_object of 1 MiB", "list of 10,000"} <= set(rows)


def test_a_row_that_is_not_there_is_refused() -> None:
    done = python("run.py", "nosuchrow")
    assert done.returncode == 2
    assert "no row is called like nosuchrow" in done.stderr


def test_the_check_fails_after_a_regression_and_only_then(tmp_path: Path) -> None:
    """What was kept is made up: recording took a tenth of what it takes without us, or a hundred times as much."""
    before = {"cheaper": 0.1, "dearer": 100.0}
    for name, ratio in before.items():
        (tmp_path / name).write_text(json.dumps({"CPU time": {ROW: ratio}}))
    done = python("-c", CHECKS, *(tmp_path / name for name in before))
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.isdigit()] == ["1", "0"], done.stderr
    assert any(line.startswith(f"{ROW}: ") and line.endswith("over the 0.100 that were kept") for line in lines)
    assert "no regression" in lines


@pytest.mark.parametrize(("found", "is_worse"), [(2.0, False), (2.1, False), (2.11, True), (1.0, False)])
def test_what_is_forgiven_is_no_regression(modules: Any, found: float, is_worse: bool) -> None:
    assert bool(modules("check").regressions({ROW: found}, {ROW: 2.0, "another": 9.0}, 0.05)) is is_worse


def test_an_operation_that_nothing_is_kept_of_fails_too(modules: Any) -> None:
    assert modules("check").regressions({ROW: 2.0}, {}, 0.05) == [f"{ROW}: nothing is kept of it; --keep does that"]


def test_what_is_kept_is_of_the_operations_that_are_checked(modules: Any) -> None:
    check = modules("check")
    kept = json.loads(check.KEPT.read_text())
    assert kept.keys() == check.FORGIVEN.keys()
    for figures in kept.values():
        assert figures.keys() == {operation.row for operation in check.OPERATIONS}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"goal": 1.15}, "1.15, missed"),
        ({"goal": 1.25}, "1.25, reached"),
        ({"goal": 1.15, "is_by_cpu": True}, "1.15, reached"),
        ({"goal": 0.9, "is_least": True}, "0.90, reached"),
        ({}, ""),
    ],
)
def test_a_verdict_is_of_what_the_goal_is_about(modules: Any, changes: dict[str, Any], verdict: str) -> None:
    figure = modules("results").Figure("row", "recorded", "1 us", 1.1, 1.2, 1.3, cpu=1.1, **changes)
    assert figure.verdict == verdict
