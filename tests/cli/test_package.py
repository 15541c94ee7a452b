"""What the command costs before it does anything, and what it says when its extra is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demonstration import environment

HEAVY = {"orjson", "zstandard", "opentelemetry", "psycopg", "starlette"}
CLI = "import sys; from timetracer_otel.cli import main; sys.argv = ['timetracer-otel', *sys.argv[1:]]; main()"


def python(code: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("--help",), ("replay", "--help"), ("--version",)])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    report = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    done = python(report + CLI, *arguments)
    assert done.returncode == 0
    assert HEAVY.isdisjoint(name.split(".")[0] for name in done.stderr.split())


def test_the_package_runs_as_a_module(folder: Path) -> None:
    """Where no folder of scripts is on PATH: in a container, or beside another environment."""
    done = subprocess.run(
        [sys.executable, "-m", "timetracer_otel", "list", "--lst"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("timetracer-otel: No such option: --lst")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_one_line_that_names_it(missing: str) -> None:
    """R23, for the command line: what is missing, and how to get it."""
    hide = (
        "import importlib.util, sys; find = importlib.util.find_spec; "
        f"importlib.util.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest); "
    )
    done = python(hide + CLI, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"timetracer-otel: {missing} not installed; run: pip install 'timetracer-otel[cli]'\n"


def test_the_script_is_installed() -> None:
    script = Path(sys.executable).with_name("timetracer-otel")
    done = subprocess.run([script, "list", "--store", "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("timetracer-otel: nowhere: there is no such folder")
