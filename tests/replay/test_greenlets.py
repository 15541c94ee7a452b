"""A process that gevent has patched, or is about to, is not replayed: one line says so, and nothing was asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.launching import LAUNCHER, instrumented
from tests.replay.conftest import QUIET, clean
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay.greenlets import PATCH, refusal

pytest.importorskip("gevent")

Recordings = Mapping[str, tuple[Cassette, Segment]]
PATCHING = "from gevent import monkey; monkey.patch_all()"
COMMAND = (sys.executable, "-c", "from timetracer_otel.cli import main; main()")
INSIDE = f"""
{PATCHING}
import sys
from timetracer_otel.replay import inside
from timetracer_otel.store import Store
found, _ = Store(".").open_cassette(sys.argv[1])
try:
    with inside.replaying(found, found.segments[0]):
        print("replays")
except Exception as error:
    print(repr(error))
"""


@pytest.fixture(scope="module")
def cassette(recorded: Recordings) -> str:
    return recorded["/orders/42"][0].path


def run(command: Sequence[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = clean(**instrumented("starlette"), **variables)
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_replay_refuses_an_app_that_has_greenlets_for_threads(cassette: str, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(f"{PATCHING}\nprint('was patched')\napp = None\n")
    done = run([*COMMAND, "replay", cassette, "--app", "shop:app"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"timetracer-otel: {refusal()}\n")


def test_exec_refuses_a_program_that_has_greenlets_for_threads(cassette: str, tmp_path: Path) -> None:
    done = run([*COMMAND, "exec", cassette, "--", sys.executable, "-c", f"{PATCHING}; print('was patched')"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"timetracer-otel: {refusal()}\n")


def test_a_replay_by_environment_refuses_a_process_that_the_launcher_has_patched(cassette: str, tmp_path: Path) -> None:
    variables = {PATCH: "patch_all", "TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": cassette, **QUIET}
    command = [*LAUNCHER, sys.executable, "-c", "print('runs')"]
    done = run(command, tmp_path, OTEL_TRACES_EXPORTER="none", **variables)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"timetracer: {refusal()}\n")


def test_in_a_process_of_greenlets_a_block_raises_the_same(cassette: str, tmp_path: Path) -> None:
    done = run([sys.executable, "-c", INSIDE, cassette], tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{refusal()!r}\n"), done.stderr
    assert isinstance(refusal(), ReplayError)
