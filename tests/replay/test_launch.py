from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from opentelemetry.instrumentation import auto_instrumentation

from tests.replay.recordings import ROOT, segment
from timetracer_otel.cassette.model import Process
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import launch

BASE = {
    "HOME": "/home/dev",
    "PATH": "/bin",
    "PYTHONPATH": os.pathsep.join(["/own", "/x/opentelemetry/instrumentation/auto_instrumentation"]),
    "OTEL_SDK_DISABLED": "true",
    "OTEL_CONFIG_FILE": "otel.yaml",
    "OTEL_TRACES_EXPORTER": "otlp",
    "TIMETRACER_APP": "left.over:app",
    "TIMETRACER_APP_CODE": "/",
    "TIMETRACER_PATHS": "/left/over",
    "TIMETRACER_ENTRY": "run",
}


def process(folder: Path, hash_seed: str = "random") -> Process:
    paths = (str(folder / "lib"), str(folder / "gone"), "")
    return Process("a" * 32, host=socket.gethostname(), cwd=str(folder), sys_path=paths, hash_seed=hash_seed)


def test_the_entry_of_an_own_recording_runs_in_the_recorded_folder_with_its_modules(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    recorded = segment(app="shop.web:app", process=process(tmp_path, "7"))
    how = launch.entry("c.json", recorded, None, BASE, "/pipe", is_own=True)
    assert how.folder == str(tmp_path)
    launcher, *others = how.environment["PYTHONPATH"].split(os.pathsep)
    assert (launcher, others) == (os.path.dirname(auto_instrumentation.__file__), [str(tmp_path), "/own"])
    assert how.environment["TIMETRACER_PATHS"] == str(tmp_path / "lib")
    assert "TIMETRACER_APP_CODE" not in how.environment
    assert how.environment["PYTHONHASHSEED"] == "7"
    assert how.environment["TIMETRACER_APP"] == "shop.web:app"
    assert how.environment["TIMETRACER_SEGMENT"] == ROOT
    assert how.environment["TIMETRACER_CASSETTE"] == os.path.abspath("c.json")
    assert how.environment["TIMETRACER_JOURNAL"] == "/pipe"
    assert how.environment["OTEL_TRACES_EXPORTER"] == "none"
    assert how.environment["HOME"] == "/home/dev"
    assert not {"OTEL_SDK_DISABLED", "OTEL_CONFIG_FILE"} & set(how.environment)


def test_a_named_app_runs_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recorded = segment(app="shop.web:app", process=Process("a" * 32, cwd="/"))
    how = launch.entry("c.json", recorded, "mine:app", BASE, "/pipe")
    assert (how.folder, how.environment["TIMETRACER_APP"]) == (str(tmp_path), "mine:app")


def test_a_recorded_folder_that_is_not_here_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    how = launch.entry("c.json", segment(process=process(tmp_path / "elsewhere")), None, BASE, "/pipe")
    assert how.folder == str(tmp_path)
    assert how.environment["TIMETRACER_PATHS"] == ""
    assert "PYTHONHASHSEED" not in how.environment
    assert "TIMETRACER_APP" not in how.environment


def test_the_entry_of_a_stranger_runs_in_the_current_folder_with_the_code_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs" / "lib").mkdir(parents=True)
    recorded = segment(app="shop.web:app", process=process(tmp_path / "theirs"))
    how = launch.entry("c.json", recorded, None, BASE, "/pipe")
    assert how.folder == str(tmp_path)
    assert "theirs" not in how.environment["PYTHONPATH"] + how.environment["TIMETRACER_PATHS"]
    assert how.environment["TIMETRACER_APP_CODE"].split(os.pathsep) == [str(tmp_path), "/own"]


@pytest.mark.parametrize("app", ["shop\0:app", "shop:app\ud800", "x" * 2000, "shop:app\n"])
def test_a_recorded_app_that_is_no_name_is_one_line(app: str) -> None:
    with pytest.raises(ReplayError, match="names no app") as raised:
        launch.entry("c.json", segment(app=app), None, BASE, "/pipe")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("seed", ["", "random", "-1", "99999999999", "٣", "9" * 5000])
def test_a_recorded_hash_seed_that_python_would_refuse_is_left_out(tmp_path: Path, seed: str) -> None:
    how = launch.entry("c.json", segment(process=process(tmp_path, seed)), None, BASE, "/pipe")
    assert "PYTHONHASHSEED" not in how.environment


@pytest.mark.parametrize(("region", "is_used"), [("eu-west-1", True), ("set", False), ("", False), ("x-1\0", False)])
def test_a_recorded_region_is_that_of_the_replay(tmp_path: Path, region: str, is_used: bool) -> None:
    recorded = Process("a" * 32, cwd=str(tmp_path), variables={"AWS_REGION": region})
    how = launch.entry("c.json", segment(process=recorded), None, {"AWS_REGION": "mine"}, "/pipe")
    assert how.environment["AWS_REGION"] == (region if is_used else "mine")


def test_the_step_before_the_namespace_finds_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """Neither in the folder where it starts, nor on PYTHONPATH."""
    for name in ("sitecustomize.py", "ctypes.py", "struct.py"):
        (tmp_path / name).write_text("raise SystemExit('theirs ran')")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [*launch.ISOLATE, "true"]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_answers_from_the_segment_from_its_start(tmp_path: Path) -> None:
    how = launch.program("c.json", segment(process=process(tmp_path)), ["python", "-c", "x"], BASE, "/pipe")
    assert how.command[-3:] == ("python", "-c", "x")
    assert "TIMETRACER_ENTRY" not in how.environment
    assert how.folder == os.getcwd()
