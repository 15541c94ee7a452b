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
FEW = launching.instrumented("starlette")


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
    env = launching.environment(TIMETRACER_STORE=str(tmp_path / "store"), PYTHONPATH=packages, **FEW, **variables)
    command = [python, *launching.LAUNCHER[1:], python, "-c", APP]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=launching.TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stdout) == (0, "the app runs\n"), done.stderr
    said = launching.without_what_is_off(done.stderr)
    ours = [line for line in said.splitlines() if line.startswith("timetracer")]
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


QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
STOPS = "OpenTelemetry will not start, and nothing is recorded"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("timetracerr", f"names timetracerr, which is not installed: {STOPS}; did you mean timetracer?"),
        ("TIMETRACER", f"names TIMETRACER, which is not installed: {STOPS}; did you mean timetracer?"),
        ("timetracer,foo", f"names foo, which is not installed: {STOPS}; take foo out of it"),
        (
            "zipkin,timetracer",
            f"names zipkin, which is not installed: {STOPS}; take zipkin out of it "
            "or pip install opentelemetry-exporter-zipkin",
        ),
        ("timetracer,", f"has a comma without a name: {STOPS}; take the comma out of it"),
        ("none,timetracer", f"names none beside others: {STOPS}; take none out of it"),
    ],
)
def test_r23_a_misspelt_or_missing_exporter_is_one_line(value: str, line: str, tmp_path: Path) -> None:
    (said,), cassettes = start(tmp_path, WITHOUT_EXPORTERS, OTEL_TRACES_EXPORTER=value, **QUIET)
    assert cassettes == 0
    assert said == f"timetracer-otel: OTEL_TRACES_EXPORTER {line}"


def test_r23_a_misspelt_exporter_is_one_line_without_a_distro_too(tmp_path: Path) -> None:
    (said,), cassettes = start(tmp_path, WITHOUT_DISTRO, OTEL_TRACES_EXPORTER="timetracerr")
    assert cassettes == 0
    line = "names timetracerr, which is not installed: nothing is recorded; did you mean timetracer?"
    assert said == f"timetracer-otel: OTEL_TRACES_EXPORTER {line}"


@pytest.mark.parametrize(("value", "recorded"), [("console,timetracer", 1), ("none", 0)])
def test_r23_beside_another_exporter_it_records_and_none_is_nothing(value: str, recorded: int, tmp_path: Path) -> None:
    env = launching.recording(tmp_path / "store", OTEL_TRACES_EXPORTER=value, **FEW)
    done = launching.launch(APP, tmp_path, env)
    assert (done.returncode, launching.without_what_is_off(done.stderr)) == (0, "")
    assert done.stdout.startswith("the app runs\n")
    assert done.stdout.count('"name": "root"') == recorded
    assert len(Store(tmp_path / "store").list_traces().traces) == recorded


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"OTEL_PYTHON_CONFIGURATOR": "configuratorr"},
            "timetracer: OTEL_PYTHON_CONFIGURATOR names configuratorr, which is not installed: "
            "recording with a plain tracer provider; unset it, or use configurator",
        ),
        ({"OTEL_PYTHON_DISTRO": "distroo"}, None),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, None),
    ],
)
def test_r23_a_misspelt_name_of_opentelemetry_itself_does_not_keep_it_from_recording(
    variables: dict[str, str], line: str | None, tmp_path: Path
) -> None:
    ours, cassettes = start(tmp_path, WITHOUT_EXPORTERS, OTEL_TRACES_EXPORTER="timetracer", **QUIET, **variables)
    assert cassettes == 1
    assert ours == ([] if line is None else [line])


def test_r23_a_misspelt_variable_of_opentelemetry_is_one_line(tmp_path: Path) -> None:
    variables = {"OTEL_TRACES_EXPORTER": "none", "OTEL_TRACE_EXPORTER": "console,timetracer"}
    assert start(tmp_path, WITHOUT_EXPORTERS, **QUIET, **variables) == (
        ["timetracer-otel: OTEL_TRACE_EXPORTER names timetracer and is not read; use OTEL_TRACES_EXPORTER"],
        0,
    )


CONFIG = """
file_format: "1.0"
tracer_provider:
  processors:
    - batch: {exporter: {%s}}
"""


@pytest.mark.parametrize(
    ("exporter", "lines"),
    [
        (
            "timetracerr: {}",
            [
                "timetracer-otel: otel.yaml names timetracerr, which is not an exporter: "
                f"{STOPS}; did you mean timetracer?"
            ],
        ),
        (
            "timetracer: {stroe: elsewhere}",
            ["timetracer: recording is off: the exporter has no argument stroe; correct or remove it; there is store"],
        ),
    ],
)
def test_r23_a_configuration_file_that_cannot_work_is_one_line(exporter: str, lines: list[str], tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.configuration", reason="this OpenTelemetry reads no configuration file")
    (tmp_path / "otel.yaml").write_text(CONFIG % exporter)
    assert start(tmp_path, WITHOUT_EXPORTERS, OTEL_CONFIG_FILE="otel.yaml") == (lines, 0)


@pytest.mark.parametrize("absent", [WITHOUT_EXPORTERS, WITHOUT_DISTRO], ids=["distro", "no distro"])
def test_r23_a_disabled_sdk_is_one_line(tmp_path: Path, absent: tuple[str, ...]) -> None:
    variables = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_SDK_DISABLED": "true"}
    (line,), cassettes = start(tmp_path, absent, OTEL_TRACES_EXPORTER="timetracer", **variables)
    assert cassettes == 0
    assert "OTEL_SDK_DISABLED=true" in line


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("TIMETRACER_PAYLOAD_MAX", "lots", "TIMETRACER_PAYLOAD_MAX: 'lots' is not a size"),
        ("TIMETRACER_STROE", "cassettes", "TIMETRACER_STROE: there is no such variable"),
        ("TIMETRACER_RECORD_UNSAMPLED", "please", "TIMETRACER_RECORD_UNSAMPLED: 'please' is not one of"),
        ("TIMETRACER_REDACT", "absent.toml", "absent.toml: No such file or directory"),
        ("TIMETRACER_REDACT", "broken.toml", "broken.toml: "),
    ],
)
def test_a_bad_setting_is_one_line_and_the_app_runs_unrecorded(
    name: str, value: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.toml").write_text("names = [7]")
    env = launching.recording(tmp_path / "store", **{**FEW, name: value})
    done = launching.launch(APP, tmp_path, env)
    assert (done.returncode, done.stdout) == (0, "the app runs\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"timetracer: recording is off: {problem}")
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
