"""`replay CASSETTE` is understood without typer, as typer understands it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.demonstration import environment
from timetracer_otel.cli import parsing, quick
from timetracer_otel.cli.task import Task


def asked(task: Task | None) -> tuple[object, ...]:
    assert isinstance(task, partial)
    return task.func, task.args, task.keywords


@pytest.mark.parametrize("cassette", ["7f3a", "7f3a/a1a1", "cassettes/x.json", "a b", "", "é"])
def test_it_asks_for_what_typer_asks_for(cassette: str) -> None:
    assert asked(quick.task(["replay", cassette])) == asked(parsing.task(["replay", cassette]))


def test_it_knows_what_the_project_ignores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.timetracer-otel]\nignore = ["headers.x-build"]\nchunks = true\n')
    monkeypatch.chdir(tmp_path)
    assert asked(quick.task(["replay", "7f3a"])) == asked(parsing.task(["replay", "7f3a"]))
    assert "headers.x-build" in str(asked(quick.task(["replay", "7f3a"])))


@pytest.mark.parametrize(
    "arguments",
    [(), ("replay",), ("replay", "--all"), ("replay", "-h"), ("replay", "7f3a", "--pdb"), ("show", "7f3a")],
)
def test_all_else_is_left_to_typer(arguments: tuple[str, ...]) -> None:
    assert quick.task(arguments) is None


def test_a_replay_loads_neither_typer_nor_what_records(tmp_path: Path) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules)); "
        "sys.argv = ['timetracer-otel', 'replay', '7f3a']; from timetracer_otel.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    loaded = set(done.stdout.split())
    assert "timetracer_otel.replay.runner" in loaded
    assert loaded.isdisjoint({"typer", "pydantic", "rich", "importlib.metadata", "timetracer_otel.redaction"})


def test_a_report_of_no_miss_needs_no_matcher() -> None:
    code = "import sys, timetracer_otel.replay.text; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"timetracer_otel.redaction", "timetracer_otel.replay.matching"}.isdisjoint(done.stdout.split())
