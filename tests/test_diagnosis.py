"""What `doctor` says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exporters.conftest import Recording
from tests.store.processes import killed, living
from timetracer_otel.capture import guard
from timetracer_otel.config import Settings
from timetracer_otel.diagnosis import diagnose, size_text
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.missing import MissingNames
from timetracer_otel.exporters import active
from timetracer_otel.set_up import Finding, installed_version

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
        ({"TIMETRACER_REDACT": "absent.toml"}, "absent.toml: No such file or directory"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "psycopg"}, "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS switches it off"),
    ],
)
def test_what_keeps_it_from_recording_comes_first(variables: dict[str, str], expected: str, tmp_path: Path) -> None:
    (verdict,) = findings(tmp_path, **variables)["recording"]
    assert verdict.level == "problem"
    assert expected in verdict.text


def test_what_is_chosen_is_shown(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('names = ["customer_no"]')
    found = findings(
        tmp_path,
        TIMETRACER_KEEP="errors,slow:500ms,1/100",
        TIMETRACER_RECORD_UNSAMPLED="1",
        TIMETRACER_WRITE="sync",
        TIMETRACER_REDACT=str(rules),
        TIMETRACER_STORE_MAX="1GiB",
    )
    assert found["recorded"][0].text == (
        "also what is not sampled (TIMETRACER_RECORD_UNSAMPLED); "
        "keeps errors, what takes 500 ms, one trace in 100, writes sync"
    )
    assert found["redaction"][0].text == f"the built-in rules and those of {rules}"
    assert "store 1 GiB, left free 256 MiB" in found["limits"][0].text
    assert findings(tmp_path)["recorded"][0].text == "what is sampled; keeps everything, writes auto"
    assert findings(tmp_path)["redaction"][0].text == "the built-in rules"


def test_frameworks_are_among_what_is_found(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert {found["fastapi"][0].level, found["starlette"][0].level} == {"ok"}


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


def test_python_s_own_modules_need_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    http = replace(registry.DRIVERS["http"], library="no-such-distribution", others=())
    monkeypatch.setattr(registry, "DRIVERS", {"http": http})
    (finding,) = findings(tmp_path)["http"]
    assert finding.level == "ok"
    assert finding.text.startswith("Python's own modules, opentelemetry-instrumentation-")


def test_a_file_where_the_store_should_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    found = findings(tmp_path)
    (finding,) = found["store"]
    assert finding.level == "problem"
    assert "is a file" in finding.text
    assert found["recording"] == [Finding("recording", "problem", f"not with this environment: {finding.text}")]


def test_how_full_the_store_is_stands_beside_its_limit(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "file").write_bytes(b"x" * 1536)
    fine = findings(tmp_path, TIMETRACER_STORE_MAX="2KiB")["store"]
    assert [finding.level for finding in fine] == ["ok"]
    assert fine[0].text.startswith(f"{tmp_path / 'store'}: 1 files, 1.5 KiB of 2 KiB, ")
    found = findings(tmp_path, TIMETRACER_STORE_MAX="1KiB")
    full = found["store"]
    assert [finding.level for finding in full] == ["ok", "problem"]
    assert found["recording"][0].level == "problem"
    assert "is full: nothing is written until there is room; see `timetracer-otel prune`" in full[1].text


@pytest.mark.parametrize("made", [True, False])
def test_a_disk_with_too_little_free_is_a_problem(tmp_path: Path, made: bool) -> None:
    if made:
        (tmp_path / "store").mkdir()
    _, problem = findings(tmp_path, TIMETRACER_FREE_MIN="1000000GiB")["store"]
    assert problem.level == "problem"
    assert "less than 1000000 GiB: nothing is written; see TIMETRACER_FREE_MIN" in problem.text


def test_what_is_pending_is_counted_by_whether_its_process_lives(tmp_path: Path) -> None:
    assert "pending" not in findings(tmp_path)
    killed(tmp_path / "store", "spooled(store, '11' * 16, '11' * 16, 1)")
    with living(tmp_path / "store", "spooled(store, TRACE_ID, PROCESS.id, 1)"):
        assert findings(tmp_path)["pending"] == [
            Finding("pending", "ok", "processes that may record into it now: 1, with 1 unfinished segments"),
            Finding(
                "pending", "note", "unfinished segments of processes that ended: 1; `timetracer-otel list` adopts them"
            ),
        ]
    assert len(list((tmp_path / "store").rglob("*.spool"))) == 2, "it only looks"


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[], Recording]:
    return lambda: Recording(Settings(store=str(tmp_path / "store")))


def test_losses_of_the_newest_traces_are_summed(recorded: Callable[[], Recording], tmp_path: Path) -> None:
    guard.failures.clear()  # those of other tests
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


def test_losses_of_a_process_count_once_however_many_traces_it_has(
    recorded: Callable[[], Recording], tmp_path: Path
) -> None:
    guard.failures.clear()  # those of other tests
    try:
        recording = recorded()
        recording.active.recorder.connected(1, "fake", "fake://server", {})  # its environment is a part then
        recording.active.recorder.dropped["environment"] += 2
        for name in ("first", "second", "third"):
            recording.tracer.start_span(name).end()
    finally:
        active.stop()
    assert findings(tmp_path)["losses"] == [Finding("losses", "note", "in the newest 3 traces: environment 2")]


def test_losses_that_no_part_says_yet_are_named(tmp_path: Path) -> None:
    killed(tmp_path / "store", "store.pending(PROCESS.id).save_losses({'store_max': 2, 'part': 1})")
    found = findings(tmp_path)["losses"]
    assert found == [Finding("losses", "note", "in no part yet, the next one will say it: part 1, store_max 2")]


def test_a_damaged_file_is_a_problem(recorded: Callable[[], Recording], tmp_path: Path) -> None:
    try:
        recorded().tracer.start_span("root").end()
    finally:
        active.stop()
    (path,) = (tmp_path / "store").rglob("*.zst")
    path.write_bytes(path.read_bytes()[:-5])
    found = findings(tmp_path)
    assert any(str(path) in finding.text for finding in found["store"])
    assert found["recording"][0].level == "ok", "what is new is recorded all the same"


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (64 * 2**20, "64 MiB"), (2**40, "1024 GiB")])
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert size_text(size) == text


def test_versions_of_what_is_absent_are_none() -> None:
    assert installed_version("no-such-distribution") is None
