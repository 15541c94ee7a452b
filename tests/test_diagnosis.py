"""What `doctor` says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exporters.conftest import Recording
from timetracer_otel import diagnosis
from timetracer_otel.config import Settings
from timetracer_otel.diagnosis import Finding, diagnose, size_text
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.exporters import active

GOOD = {"OTEL_TRACES_EXPORTER": "timetracer", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def findings(tmp_path: Path, **variables: str) -> dict[str, list[Finding]]:
    """By topic."""
    found: dict[str, list[Finding]] = {}
    for finding in diagnose({**GOOD, "TIMETRACER_STORE": str(tmp_path / "store"), **variables}):
        found.setdefault(finding.topic, []).append(finding)
    return found


def test_a_good_environment_records(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert next(iter(found)) == "recording"
    assert found["recording"] == [
        Finding("recording", "ok", f"yes, with this environment, into {tmp_path / 'store'}"),
    ]
    assert "psycopg" in found["psycopg"][0].text
    assert "tap fits" in found["psycopg"][0].text
    assert "payload 64 MiB" in found["limits"][0].text
    assert "will be made" in found["store"][0].text
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, "does not name timetracer"),
        ({"OTEL_TRACES_EXPORTER": "timetraser"}, "does not name timetracer"),
        ({"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED=true"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, "OTEL_METRICS_EXPORTER names prometheus"),
        ({"TIMETRACER_PAYLOAD_MAX": "lots"}, "TIMETRACER_PAYLOAD_MAX"),
    ],
)
def test_what_keeps_it_from_recording_comes_first(variables: dict[str, str], expected: str, tmp_path: Path) -> None:
    (verdict,) = findings(tmp_path, **variables)["recording"]
    assert verdict.level == "problem"
    assert expected in verdict.text


def test_another_mode_is_named(tmp_path: Path) -> None:
    assert findings(tmp_path, TIMETRACER_MODE="off")["recording"] == [
        Finding("recording", "note", "off: TIMETRACER_MODE is off")
    ]


def test_a_tap_that_does_not_fit_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Misfit:
        def install(self) -> None:
            raise MissingNames("psycopg", "9.9", ("Cursor._gone",), "queries are not recorded")

        def uninstall(self) -> None: ...

    monkeypatch.setattr(registry, "recording", lambda _: Misfit())
    (finding,) = findings(tmp_path)["psycopg"]
    assert finding.level == "problem"
    assert "Cursor._gone" in finding.text


def test_a_driver_without_its_instrumentor_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = registry.Driver(module="", instrumentors=("Nobody",), library="psycopg")
    monkeypatch.setattr(registry, "DRIVERS", {"psycopg": driver})
    (finding,) = findings(tmp_path)["psycopg"]
    assert finding.level == "problem"
    assert "pip install 'timetracer-otel[psycopg]'" in finding.text


def test_a_library_that_is_absent_is_only_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = registry.Driver(module="", instrumentors=(), library="no-such-distribution")
    monkeypatch.setattr(registry, "DRIVERS", {"other": driver})
    assert findings(tmp_path)["other"] == [Finding("other", "note", "no-such-distribution is not installed")]


def test_a_file_where_the_store_should_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    (finding,) = findings(tmp_path)["store"]
    assert finding.level == "problem"
    assert "is a file" in finding.text


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[], Recording]:
    return lambda: Recording(Settings(store=str(tmp_path / "store")))


def test_losses_of_the_newest_traces_are_summed(recorded: Callable[[], Recording], tmp_path: Path) -> None:
    try:
        recording = recorded()
        for reason in ("limit", "limit", "encode"):
            recording.active.recorder.dropped[reason] += 1
            recording.tracer.start_span("root").end()
    finally:
        active.stop()
    found = findings(tmp_path)
    assert found["losses"] == [Finding("losses", "note", "in the newest 3 traces: encode 1, limit 2")]
    assert found["store"][0].text.startswith(f"{tmp_path / 'store'}: 3 files, ")


def test_a_damaged_file_is_a_problem(recorded: Callable[[], Recording], tmp_path: Path) -> None:
    try:
        recorded().tracer.start_span("root").end()
    finally:
        active.stop()
    (path,) = (tmp_path / "store").rglob("*.zst")
    path.write_bytes(path.read_bytes()[:-5])
    assert any(str(path) in finding.text for finding in findings(tmp_path)["store"])


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (64 * 2**20, "64 MiB"), (2**40, "1024 GiB")])
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_versions_of_what_is_absent_are_none() -> None:
    assert diagnosis.installed_version("no-such-distribution") is None
