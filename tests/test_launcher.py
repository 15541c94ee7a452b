"""R23: set-ups that lack a piece, started for real. It records, or one line says what is missing; the app starts."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import timetracer_otel
from tests import launching
from timetracer_otel import launcher
from timetracer_otel.store import Store

APP = """
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("root"):
    print("the app runs")
"""
SOURCES = Path(timetracer_otel.__file__).parents[1]
WITHOUT_EXPORTERS = ("opentelemetry_exporter_otlp",)
WITHOUT_DISTRO = ("opentelemetry_distro", *WITHOUT_EXPORTERS)


def site(folder: Path, absent: tuple[str, ...]) -> Path:
    """This environment's packages without the metadata, and so the entry points, of some."""
    folder.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(absent):
            (folder / entry.name).symlink_to(entry)
    return folder


def start(tmp_path: Path, absent: tuple[str, ...], **variables: str) -> tuple[list[str], int]:
    """The lines on stderr that are ours, and how many cassettes there are afterwards. The app must have run."""
    python = os.path.realpath(sys.executable)  # the interpreter without this environment's packages
    packages = os.pathsep.join([str(site(tmp_path / "site", absent)), str(SOURCES)])
    env = launching.environment(TIMETRACER_STORE=str(tmp_path / "store"), PYTHONPATH=packages, **variables)
    command = [python, *launching.LAUNCHER[1:], python, "-c", APP]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=launching.TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the app runs\n"), done.stderr
    ours = [line for line in done.stderr.splitlines() if line.startswith("timetracer")]
    return ours, len(Store(tmp_path / "store").list_traces().traces)


def test_r23_without_a_distro_it_records_and_says_what_is_not_loaded(tmp_path: Path) -> None:
    (line,), cassettes = start(tmp_path, WITHOUT_DISTRO, OTEL_TRACES_EXPORTER="timetracer,otlp")
    assert cassettes == 1
    assert "otlp gets no spans" in line
    assert "pip install opentelemetry-distro" in line


def test_r23_with_the_common_distro_and_no_exporter_it_records(tmp_path: Path) -> None:
    (line,), cassettes = start(tmp_path, WITHOUT_EXPORTERS, OTEL_TRACES_EXPORTER="timetracer")
    assert cassettes == 1
    assert "OTEL_METRICS_EXPORTER is unset" in line
    assert "none is used instead" in line


def test_r23_a_metrics_exporter_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    variables = {
        "OTEL_TRACES_EXPORTER": "timetracer",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_LOGS_EXPORTER": "none",
    }
    (line,), cassettes = start(tmp_path, WITHOUT_EXPORTERS, **variables)
    assert cassettes == 0
    assert line == (
        "timetracer-otel: OTEL_METRICS_EXPORTER names prometheus, which is not installed: "
        "OpenTelemetry will not start, and nothing is recorded; "
        "set OTEL_METRICS_EXPORTER to none or pip install opentelemetry-exporter-prometheus"
    )


def test_r23_a_misspelt_exporter_is_one_line(tmp_path: Path) -> None:
    variables = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    (line,), cassettes = start(tmp_path, WITHOUT_EXPORTERS, OTEL_TRACES_EXPORTER="timetraser", **variables)
    assert cassettes == 0
    assert line.endswith("did you mean timetracer?")


@pytest.mark.parametrize("absent", [WITHOUT_EXPORTERS, WITHOUT_DISTRO], ids=["distro", "no distro"])
def test_r23_a_disabled_sdk_is_one_line(tmp_path: Path, absent: tuple[str, ...]) -> None:
    variables = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_SDK_DISABLED": "true"}
    (line,), cassettes = start(tmp_path, absent, OTEL_TRACES_EXPORTER="timetracer", **variables)
    assert cassettes == 0
    assert "OTEL_SDK_DISABLED=true" in line


def test_a_bad_setting_is_one_line_and_the_app_runs_unrecorded(tmp_path: Path) -> None:
    env = launching.recording(tmp_path / "store", TIMETRACER_PAYLOAD_MAX="lots")
    done = launching.launch(APP, tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "the app runs\n")
    (line,) = done.stderr.splitlines()
    assert "TIMETRACER_PAYLOAD_MAX" in line
    assert not (tmp_path / "store").exists()


def test_whoever_does_not_ask_for_us_hears_nothing_and_nothing_changes() -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp"}
    assert launcher.check(environ, ["opentelemetry-instrument", "python", "--traces_exporter", "timetracer"]) == []
    assert environ == {"OTEL_TRACES_EXPORTER": "otlp"}


@pytest.mark.parametrize("argv", [["--traces_exporter", "timetraser"], ["--traces_exporter=timetraser"]])
def test_the_options_of_the_launcher_count_like_variables(argv: list[str]) -> None:
    environ = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    (line,) = launcher.check(environ, ["opentelemetry-instrument", *argv, "python"]) or []
    assert "timetraser" in line
