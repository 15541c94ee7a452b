from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.replay.recordings import ROOT, segment
from timetracer_otel.cassette.model import Process
from timetracer_otel.replay import launch

BASE = {
    "HOME": "/home/dev",
    "PATH": "/bin",
    "PYTHONPATH": os.pathsep.join(["/own", "/x/opentelemetry/instrumentation/auto_instrumentation"]),
    "OTEL_SDK_DISABLED": "true",
    "OTEL_CONFIG_FILE": "otel.yaml",
    "OTEL_TRACES_EXPORTER": "otlp",
    "TIMETRACER_APP": "left.over:app",
    "TIMETRACER_ENTRY": "run",
}


def process(folder: Path, hash_seed: str = "random") -> Process:
    paths = (str(folder / "lib"), str(folder / "gone"), "")
    return Process("a" * 32, cwd=str(folder), sys_path=paths, hash_seed=hash_seed)


def test_the_entry_runs_in_the_recorded_folder_with_its_modules(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    how = launch.entry("c.json", segment(app="shop.web:app", process=process(tmp_path, "7")), None, BASE, "/pipe")
    assert how.folder == str(tmp_path)
    assert how.environment["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/own", str(tmp_path / "lib")]
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
    assert "PYTHONHASHSEED" not in how.environment
    assert "TIMETRACER_APP" not in how.environment


def test_a_program_answers_from_the_segment_from_its_start(tmp_path: Path) -> None:
    how = launch.program("c.json", segment(process=process(tmp_path)), ["python", "-c", "x"], BASE, "/pipe")
    assert how.command[-3:] == ("python", "-c", "x")
    assert "TIMETRACER_ENTRY" not in how.environment
    assert how.folder == os.getcwd()
