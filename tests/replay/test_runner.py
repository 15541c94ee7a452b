"""Recordings of a real process, replayed in real processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace as replaced
from pathlib import Path

import pytest

from tests.launching import OFF
from tests.replay.conftest import APP, INSTRUMENT, ROOT, clean
from tests.replay.test_isolation import needs_namespace
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.errors import ReplayError, UsageError
from timetracer_otel.replay.runner import Options, execute, replay

Recordings = Mapping[str, tuple[Cassette, Segment]]
NAMED = Options(app=f"{APP}:app")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a laptop: nothing of OpenTelemetry is set; the app's folder is the current one."""
    for name in ("OTEL_TRACES_EXPORTER", "TIMETRACER_STORE", "TIMETRACER_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", ["/orders/42", "/fail", "/minted", "/call", "/reach", "/slow", "/gone", "/later"])
def test_every_recorded_request_replays_the_same(recorded: Recordings, path: str) -> None:
    report = replay(*recorded[path], NAMED)
    assert report.to_json()["misses"] == []
    assert (report.verdict, report.differences, report.folder) == ("same", (), "")


def test_a_recorded_request_replays_the_same_with_every_instrumentor_that_is_installed(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(OFF)
    assert replay(*recorded["/orders/42"], NAMED).verdict == "same"


def test_an_own_recording_names_the_app_its_folder_and_its_modules(
    recorded: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH")
    report = replay(*recorded["/orders/42"], Options(is_own=True))
    assert (report.verdict, report.folder) == ("same", str(ROOT))
    with pytest.raises(ReplayError, match="no module 'tests"):
        replay(*recorded["/orders/42"])


def test_recorded_folders_of_modules_stand_in_for_nothing_that_is_there(recorded: Recordings, tmp_path: Path) -> None:
    for name in ("colorsys", "psycopg", "only_there"):
        (tmp_path / f"{name}.py").write_text("")
    cassette, segment = recorded["/orders/42"]
    segment = replaced(segment, process=replaced(segment.process, sys_path=(str(tmp_path),)))
    program = "import colorsys, psycopg, only_there; colorsys.rgb_to_hls, psycopg.connect, exit(7)"
    command = [sys.executable, "-c", program]
    assert execute(cassette, segment, command, Options(timeout_s=None, is_own=True)).exit_code == 7
    assert execute(cassette, segment, command, Options(timeout_s=None)).exit_code == 1


def test_a_variable_that_the_program_gives_itself_again_is_no_change(recorded: Recordings) -> None:
    cassette, segment = recorded["/orders/42"]
    variables = {**segment.process.variables, "FROM_ITS_FILE": "set", "FROM_OUTSIDE": "set", "LC_TIME": "C"}
    segment = replaced(segment, process=replaced(segment.process, variables=variables))
    program = "import os; os.environ.update(FROM_ITS_FILE='s3cret', LC_TIME='POSIX')"
    report = execute(cassette, segment, [sys.executable, "-c", program]).report
    found = {each["name"].partition(".")[2]: each["replayed"] for each in report.changed}
    assert {name: found[name] for name in ("FROM_OUTSIDE", "LC_TIME")} == {"FROM_OUTSIDE": None, "LC_TIME": "POSIX"}
    assert "FROM_ITS_FILE" not in found


def test_the_app_of_a_stranger_s_recording_is_found_in_the_current_folder(recorded: Recordings) -> None:
    assert replay(*recorded["/orders/42"]).verdict == "same"


def test_a_factory_is_called(recorded: Recordings) -> None:
    assert replay(*recorded["/orders/42"], Options(app=f"{APP}:make()")).verdict == "same"


def test_the_traceback_of_the_failing_request_is_in_the_report(recorded: Recordings) -> None:
    report = replay(*recorded["/fail"], NAMED)
    assert "app_under_test.py" in report.traceback
    assert report.traceback.rstrip().endswith("KeyError: '/fail'")


def test_a_changed_field_of_the_response_is_exactly_that_difference(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOTAL", "4")
    report = replay(*recorded["/orders/42"], NAMED)
    assert report.verdict == "deviates"
    [difference] = report.differences
    assert difference == {"path": "body.$.total", "recorded": 3, "replayed": 4, "consequent": False}


def test_r51_a_call_that_nobody_recorded_is_refused_at_once_and_named(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TARGET", "broker.example:5672")
    report = replay(*recorded["/call"], NAMED)
    assert (report.verdict, report.exit_code) == ("deviates", 1)
    [miss] = report.misses
    assert (miss.request["lib"], miss.request["text"]) == ("amqp", "resolve broker.example")
    assert miss.span == "GET /call"


@pytest.mark.parametrize("isolation", [pytest.param("namespace", marks=needs_namespace), "guards"])
def test_a_server_outside_sees_nothing(recorded: Recordings, monkeypatch: pytest.MonkeyPatch, isolation: str) -> None:
    monkeypatch.setenv("TIMETRACER_ISOLATION", isolation)
    with socket.create_server(("127.0.0.1", 0)) as honeypot:
        honeypot.settimeout(0.2)
        monkeypatch.setenv("HONEYPOT", str(honeypot.getsockname()[1]))
        report = replay(*recorded["/reach"], NAMED)
        with pytest.raises(TimeoutError):
            honeypot.accept()
    assert report.verdict == "deviates"
    assert report.uncontrolled == (() if isolation == "namespace" else ("native sockets",))


# ---- what cannot be decided, what cannot start -----------------------------------------------------------------------


def test_a_replay_that_takes_too_long_ends_with_what_is_known(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEP", "100")
    report = replay(*recorded["/slow"], Options(app=NAMED.app, timeout_s=10))
    assert (report.verdict, report.exit_code) == ("inconclusive", 3)
    assert report.reasons == ("timed out after 10 s, before the end of the replay",)


def test_a_process_that_dies_leaves_a_report(recorded: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONE", "1")
    report = replay(*recorded["/gone"], NAMED)
    assert report.verdict == "inconclusive"
    assert report.reasons == ("the replaying process ended early, with exit code 9",)


def test_an_app_that_does_not_start_is_inconclusive_and_shows_its_traceback(
    recorded: Recordings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STARTUP", "fails")
    report = replay(*recorded["/orders/42"], NAMED)
    assert report.verdict == "inconclusive"
    assert report.reasons == (
        "the replay ended with exit code 1 before its outcome was known; what it printed is above",
    )
    assert "this app does not start here" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("app", "problem"),
    [
        ("no.such.module:app", "no module 'no' in "),
        (f"{APP}_2:app", "no module 'tests.replay.app_under_test_2' in "),
        (f"{APP}:nothing", "has no nothing"),
        (f"{APP}:", "it names no attribute; write module:attribute"),
        (":app", "not an importable name"),
        (".shop:app", "not an importable name"),
        (f"{APP}:PORT.x", "has no PORT"),
    ],
)
def test_a_missing_app_is_one_line(recorded: Recordings, app: str, problem: str) -> None:
    with pytest.raises(ReplayError, match=problem) as raised:
        replay(*recorded["/orders/42"], Options(app=app))
    assert "\n" not in str(raised.value)


# ---- exec and the environment form -----------------------------------------------------------------------------------

CONNECT = (
    "import psycopg\nwith psycopg.connect('postgresql://app@db.example/shop') as c:\n    c.execute('SELECT 41 + 1')"
)


def test_exec_gives_the_exit_code_of_the_program(recorded: Recordings) -> None:
    execution = execute(*recorded["/orders/42"], [sys.executable, "-c", "raise SystemExit(7)"])
    assert (execution.exit_code, execution.report.misses) == (7, ())
    killed = execute(*recorded["/orders/42"], [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert killed.exit_code == 137
    assert killed.report.verdict == "inconclusive"


def test_a_program_that_is_not_python_is_not_called_the_same(recorded: Recordings) -> None:
    execution = execute(*recorded["/orders/42"], ["true"])
    assert (execution.exit_code, execution.report.verdict) == (0, "inconclusive")
    assert execution.report.reasons == (
        "nothing of the program was replayed: it started no Python that has timetracer-otel",
    )


def test_a_replay_that_nothing_starts_is_one_line(recorded: Recordings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMETRACER_WRITE", "sometimes")
    with pytest.raises(ReplayError, match="nothing began to replay"):
        replay(*recorded["/orders/42"], NAMED)


def test_exec_exits_with_1_after_a_miss_whatever_the_program_makes_of_it(recorded: Recordings) -> None:
    program = f"try:\n    exec({CONNECT!r})\nexcept Exception as error:\n    print(error)"
    execution = execute(*recorded["/orders/42"], [sys.executable, "-c", program])
    assert execution.status == 0
    assert execution.exit_code == 1
    [miss] = execution.report.misses
    assert miss.request["text"] == "SELECT 41 + 1"
    assert miss.frame == "<string>:3 <module>"


def test_a_miss_in_a_child_process_of_the_program_counts(recorded: Recordings) -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CONNECT!r}], stderr=subprocess.DEVNULL)"
    execution = execute(*recorded["/orders/42"], [sys.executable, "-c", program])
    assert (execution.status, execution.exit_code) == (0, 1)
    assert [miss.request["text"] for miss in execution.report.misses] == ["SELECT 41 + 1"]


def test_a_program_that_does_not_exist_is_one_line(recorded: Recordings) -> None:
    with pytest.raises(UsageError, match="no program 'no-such-program'"):
        execute(*recorded["/orders/42"], ["no-such-program"])


def by_environment(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [*INSTRUMENT, sys.executable, "-c", program]
    environment = clean(TIMETRACER_MODE="replay", OTEL_TRACES_EXPORTER="none", **variables)
    environment |= {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_the_environment_form_prints_the_report_to_stderr(recorded: Recordings) -> None:
    cassette, _ = recorded["/orders/42"]
    done = by_environment("print('done')", TIMETRACER_CASSETTE=cassette.path)
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.startswith("uncontrolled: native sockets\n")
    assert "nothing was compared: the recording holds no request" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("inconclusive  ")


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, "TIMETRACER_CASSETTE: TIMETRACER_MODE=replay needs a cassette"),
        ({"TIMETRACER_CASSETTE": "/no/such/file"}, "/no/such/file: no such cassette"),
    ],
)
def test_without_a_cassette_the_app_does_not_run(variables: dict[str, str], line: str) -> None:
    done = by_environment("print('ran against the real world')", **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ---- spans -----------------------------------------------------------------------------------------------------------


REPLAY = """
import sys
from timetracer_otel.replay.runner import Options, replay
from timetracer_otel.store import Store
cassette, _ = Store(".").open_cassette(sys.argv[1])
replay(cassette, cassette.segments[0], Options(app=sys.argv[2]))
"""


def test_replayed_spans_leave_by_the_users_exporter_linked_to_the_recorded_ones(recorded: Recordings) -> None:
    cassette, segment = recorded["/orders/42"]
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, cassette.path, f"{APP}:app"],
        env=clean(OTEL_TRACES_EXPORTER="timetracer,console"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    decoder, spans, at = json.JSONDecoder(), [], 0
    while at < len(done.stdout.rstrip()):
        span, at = decoder.raw_decode(done.stdout, at)
        at += 1
        spans.append(span)
    [root] = [span for span in spans if span["kind"] == "SpanKind.SERVER"]
    assert root["attributes"]["timetracer.replay.of"] == cassette.trace_id
    assert root["links"][0]["context"]["span_id"] == f"0x{segment.id}"
    assert root["context"]["trace_id"] != f"0x{cassette.trace_id}"
