"""`replay CASSETTE`, `list` and `--help` are understood without typer, as typer understands them."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cassette.samples import ROOT_PART
from tests.cli.reference import HELP_MODULE, help_module
from tests.demonstration import environment
from timetracer_otel.cassette import dump_part
from timetracer_otel.cli import help_text, parsing, quick
from timetracer_otel.cli.task import Task
from timetracer_otel.store import Store


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
    [
        *(("replay",), ("replay", "--all"), ("replay", "-h"), ("replay", "7f3a", "--pdb"), ("show", "7f3a")),
        *(("list", "--json"), ("list", "--last"), ("list", "--last", "0"), ("list", "--last", "-1")),
        *(("list", "--last", "x"), ("list", "--last", "5", "--json"), ("--version",), ("--help", "list")),
    ],
)
def test_all_else_is_left_to_typer(arguments: tuple[str, ...]) -> None:
    assert quick.task(arguments) is None


@pytest.mark.parametrize("arguments", [("list",), ("list", "--last", "7")])
def test_it_lists_what_typer_lists(arguments: tuple[str, ...]) -> None:
    assert asked(quick.task(arguments)) == asked(parsing.task(arguments))


def test_the_help_that_is_kept_is_that_of_typer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(quick.HELP_COLUMNS))
    assert HELP_MODULE.read_text("utf-8") == help_module(), "run: python -m tests.cli.reference"
    parsing.task(["--help"])
    said = capsys.readouterr().out
    assert said == help_text.HELP
    for arguments in ((), ("--help",)):
        task = quick.task(arguments)
        assert task is not None
        assert (task(), capsys.readouterr().out) == (0, said)


@pytest.mark.parametrize(
    ("columns", "is_wide"), [("79", False), ("80", True), ("200", True), ("0", True), ("", True), ("x", True)]
)
def test_a_narrow_terminal_has_its_help_from_typer(
    monkeypatch: pytest.MonkeyPatch, columns: str, is_wide: bool
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    assert quick.is_wide() is is_wide
    assert (quick.task(["--help"]) is not None) is is_wide


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (("--help",), {"typer", "rich", "timetracer_otel.config", "timetracer_otel.store"}),
        (("list",), {"typer", "rich", "timetracer_otel.replay"}),
    ],
)
def test_help_and_a_list_load_what_they_need(tmp_path: Path, arguments: tuple[str, ...], unneeded: set[str]) -> None:
    code = (
        "import atexit, sys; atexit.register(lambda: print('modules', *sys.modules)); "
        f"sys.argv = ['timetracer-otel', *{arguments!r}]; from timetracer_otel.cli import main; main()"
    )
    part = ROOT_PART
    Store(tmp_path / "cassettes").write_part(part.trace_id, part.segment, part.process.id, 0, dump_part(part))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    *_, modules = done.stdout.splitlines()
    assert "timetracer_otel.cli.running" in modules.split()
    assert unneeded.isdisjoint(modules.split())


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
