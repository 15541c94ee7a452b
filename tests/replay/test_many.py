"""`replay --all` of recordings of a real process, in real processes; and the order of things without any."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.replay import recordings
from tests.replay.conftest import APP, clean
from tests.replay.test_report import ENTRY
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.errors import DamagedCassette
from timetracer_otel.replay import many, runner
from timetracer_otel.replay.many import Batch
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.runner import Options
from timetracer_otel.store import save_bundle

Recordings = Mapping[str, tuple[Cassette, Segment]]
MAIN = "import sys; from timetracer_otel.cli import main; sys.exit(main())"
COMMAND = [sys.executable, "-c", MAIN, "replay", "--all", "cassettes", "--app", f"{APP}:app"]
LIMIT_S = 60


@pytest.fixture
def folder(tmp_path: Path, recorded: Recordings) -> Path:
    """Holds `cassettes`: three bundles, one of them deep below, and what is none."""
    cassettes = tmp_path / "cassettes"
    for path, name in (("/orders/42", "a"), ("/slow", "deep/b"), ("/fail", "c")):
        target = cassettes / f"{name}.cassette.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        save_bundle(recorded[path][0], target)
    (cassettes / "torn.cassette.json").write_text('{"timetracer": 1, "segm')
    (cassettes / "notes.json").write_text("{}")
    return tmp_path


def test_all_of_a_folder_are_replayed_and_the_worst_gives_the_exit_code(folder: Path) -> None:
    """One deviates, one file is torn, two are the same: in text, JSON, JUnit's XML and Markdown."""
    files = ["--json", "r.json", "--junit", "r.xml", "--markdown", "r.md"]
    done = subprocess.run(
        [*COMMAND, *files],
        cwd=folder,
        env=clean(TOTAL="4"),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    *_, deviates, failed, _, end = done.stdout.splitlines()
    assert deviates.startswith("deviates  ")
    assert failed.startswith("failed  cassettes/torn.cassette.json: ")
    assert end.endswith(": 1 deviates, 1 failed, 2 same")
    document = json.loads((folder / "r.json").read_text())
    assert (document["report"], document["verdict"]) == (1, "deviates")
    assert document["counts"] == {"deviates": 1, "failed": 1, "inconclusive": 0, "same": 2}
    assert [each["verdict"] for each in document["replays"]] == ["deviates", "failed", "same", "same"]
    (difference,) = document["replays"][0]["outcome"]["differences"]
    assert (difference["path"], difference["recorded"], difference["replayed"]) == ("body.$.total", 3, 4)
    suite = ElementTree.parse(folder / "r.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "1")
    assert "`body.$.total`: recorded `3`, replayed `4`" in (folder / "r.md").read_text()


def test_of_an_app_that_does_not_start_the_last_line_is_told_since_nothing_is_printed(folder: Path) -> None:
    for name in ("deep/b", "c", "torn"):
        (folder / "cassettes" / f"{name}.cassette.json").unlink()
    done = subprocess.run(
        COMMAND, cwd=folder, env=clean(STARTUP="fails"), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "before its outcome was known; it printed last: " in done.stdout
    assert "this app does not start here" in done.stdout
    assert "above" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupt_ends_the_children_and_what_is_known_is_reported(folder: Path, number: signal.Signals) -> None:
    began = folder / "began"
    environment = clean(SLEEP="600", BEGAN=str(began))
    (folder / "cassettes" / "c.cassette.json").unlink()
    (folder / "cassettes" / "a.cassette.json").unlink()
    with subprocess.Popen(
        [*COMMAND, "--json", "r.json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_signals,  # noqa: PLW1509  it only sets a signal
    ) as process:
        try:
            replaying = _process_in(began)
            process.send_signal(number)
            out, _ = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert out.endswith("1 not replayed: interrupted\n")
    document = json.loads((folder / "r.json").read_text())
    assert (document["not_run"], document["counts"]["failed"]) == (1, 1)
    with pytest.raises(ProcessLookupError):
        os.kill(replaying, 0)


def _heed_signals() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _process_in(file: Path) -> int:
    """The process that has written its id there."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.05)
    raise AssertionError("no app has begun")


# ---- without processes -----------------------------------------------------------------------------------------------

CASSETTE = recordings.cassette(recordings.segment(ENTRY))


def opened(path: str) -> tuple[Cassette, None]:
    if path == "torn":
        raise DamagedCassette(path, "it is cut off")
    return CASSETTE, None


def batch(jobs: int) -> Batch:
    return Batch(opened, lambda cassette: True, lambda *_: Options(), jobs)


def test_replays_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = threading.Barrier(3)

    def replay(cassette: Cassette, segment: Segment, options: Options) -> Report:
        meeting.wait(LIMIT_S)
        return Report(cassette.path, segment.id, "same")

    monkeypatch.setattr(runner, "replay", replay)
    told: list[None] = []
    summary, was_interrupted = many.replay(["1", "2", "torn", "3"], batch(3), lambda: told.append(None))
    assert (was_interrupted, len(told)) == (False, 4)
    assert (summary.counts["same"], summary.counts["failed"], summary.exit_code) == (3, 1, 2)


def test_a_cassette_that_is_not_wanted_is_not_replayed() -> None:
    summary, _ = many.replay(["1"], Batch(opened, lambda cassette: False, lambda *_: Options(), 1))
    assert (summary.results, summary.not_run, summary.exit_code) == ((), 0, 0)


def test_a_segment_without_a_request_is_left_out_and_counted() -> None:
    function = recordings.cassette(recordings.segment(recordings.exchange(1)))
    summary, _ = many.replay(
        ["1"], Batch(lambda path: (function, None), lambda cassette: True, lambda *_: Options(), 1)
    )
    assert (summary.results, summary.left_out) == ((), 1)


def test_as_many_run_as_there_are_processors() -> None:
    assert many.cores() == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
