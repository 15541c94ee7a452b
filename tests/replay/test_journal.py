from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.errors import CassetteNotFound, ReplayError, UsageError, WireError
from timetracer_otel.replay.journal import FRAME, FRAME_MAX, MemoryJournal, Reader, error_json, frames, open_named, read


def stream(*events: tuple[int, str]) -> bytes:
    data = [(process, json.dumps({"event": "uncontrolled", "text": text}).encode()) for process, text in events]
    found = [list(frames(*each)) for each in data]
    turns = max(map(len, found))
    return b"".join(each[turn] for turn in range(turns) for each in found if turn < len(each))


@given(st.lists(st.text(max_size=20_000), min_size=1, max_size=4))
def test_events_of_several_processes_cross_one_pipe(texts: list[str]) -> None:
    data = stream(*enumerate(texts))
    assert sorted(event["text"] for event in read(io.BytesIO(data))) == sorted(texts)


@given(st.integers(min_value=0), st.text(min_size=1, max_size=10))
def test_an_event_that_a_crash_has_cut_is_left_out(cut: int, text: str) -> None:
    whole = stream((1, "first"))
    data = whole + stream((1, text * 2_000))
    end = len(whole) + cut % (len(data) - len(whole))
    assert [event["text"] for event in read(io.BytesIO(data[:end]))] == ["first"]


@given(st.binary(max_size=2_000))
def test_any_bytes_give_events_or_nothing(data: bytes) -> None:
    assert all("event" in event for event in read(io.BytesIO(data)))


def test_no_frame_is_larger_than_the_kernel_writes_at_once() -> None:
    assert max(map(len, frames(1, b"x" * 50_000))) == FRAME_MAX
    assert FRAME.unpack(next(frames(1, b"abc"))[: FRAME.size]) == (1, 3, True)


def test_threads_a_forked_child_and_another_program_write_to_one_pipe(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "journal"))
    log = open_named(reader.path)
    assert log is not None
    child = os.fork()
    if child == 0:
        log.write("uncontrolled", text="c" * 50_000)
        os._exit(0)
    program = "import sys; from timetracer_otel.replay.journal import open_named; "
    program += "open_named(sys.argv[1]).write('uncontrolled', text='p' * 50_000)"
    other = subprocess.Popen([sys.executable, "-c", program, reader.path])
    write = functools.partial(log.write, "uncontrolled", text="t" * 9_000)
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.waitpid(child, 0)
    assert other.wait(60) == 0
    found = sorted(event["text"] for event in reader.finish(0.5))
    assert found == ["c" * 50_000, "p" * 50_000, *["t" * 9_000] * 4]


def test_a_descriptor_that_the_app_has_closed_and_used_again_is_not_written_to(tmp_path: Path) -> None:
    reader = Reader(str(tmp_path / "journal"))
    log = open_named(reader.path)
    assert log is not None
    with (tmp_path / "file").open("wb") as file:
        os.dup2(file.fileno(), log._fd)
        log.write("uncontrolled", text="found its pipe again")
    assert (tmp_path / "file").read_bytes() == b""
    assert [event["text"] for event in reader.finish(0.5)] == ["found its pipe again"]


def test_without_a_runner_there_is_no_journal_and_writing_to_a_lost_one_does_not_hurt(tmp_path: Path) -> None:
    assert open_named(None) is None
    assert open_named(str(tmp_path / "nothing")) is None
    os.mkfifo(tmp_path / "abandoned")
    assert open_named(str(tmp_path / "abandoned")) is None
    reading = os.open(tmp_path / "abandoned", os.O_RDONLY | os.O_NONBLOCK)
    log = open_named(str(tmp_path / "abandoned"))
    assert log is not None
    os.close(reading)
    log.write("done")


def test_spans_are_kept_in_memory_only_where_somebody_exports_them() -> None:
    log = MemoryJournal(keeps_spans=False)
    log.write("span", span={})
    log.write("done")
    assert [event["event"] for event in log.events] == ["done"]


@pytest.mark.parametrize(
    "error",
    [
        ReplayError("--app x", "no module", "name it"),
        UsageError("TIMETRACER_CASSETTE", "it needs one", "set it"),
        CassetteNotFound("7f3a", "cassettes"),
        WireError("postgres: bad length"),
        WireError("no colon"),
    ],
)
def test_every_error_crosses_the_journal_in_three_parts(error: ReplayError | UsageError | WireError) -> None:
    parts = error_json(error)
    assert set(parts) == {"where", "problem", "advice"}
    assert all(parts.values())
    assert str(error).rpartition("; ")[0] in str(ReplayError(**parts))
