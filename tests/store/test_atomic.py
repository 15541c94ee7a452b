from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.cassette.samples import ROOT_ID, TRACE_ID
from timetracer_otel.store import Store, write_atomically

WRITER = """
import sys
from dataclasses import replace
from random import Random
from tests.cassette.samples import ENVIRONMENT_PART, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, query
from timetracer_otel.cassette import dump_environment, dump_part
from timetracer_otel.store import Store

store = Store(sys.argv[1])
noise = Random(1).randbytes(2_000_000)
number = 0
while True:
    size = Random(number).randrange(1, 1_000_000)
    exchange = replace(query(number), result={"body": noise[:size]})
    part = replace(ROOT_PART, part=number, exchanges=(exchange,))
    store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, number, dump_part(part))
    environment = replace(ENVIRONMENT_PART, part=number, exchanges=(exchange,))
    store.write_environment(PROCESS.id, number, dump_environment(environment))
    if not number:
        print("ready", flush=True)
    number += 1
"""


def kill_a_writer_after(root: Path, delay_s: float) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, cwd=Path.cwd()) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        writer.kill()


def check_what_a_killed_writer_left(root: Path, delay_s: float) -> int:
    kill_a_writer_after(root, delay_s)
    cassette, _ = Store(root).open_cassette(TRACE_ID)
    (segment,) = cassette.segments
    assert segment.parts == tuple(range(len(segment.parts)))
    (trace,) = Store(root).list_traces().traces
    assert trace.segments[0].exchanges == len(segment.exchanges) == len(segment.parts)
    return len(segment.parts)


@pytest.mark.long
def test_a_writer_that_is_killed_leaves_nothing_half_written(tmp_path: Path, rounds: Callable[[int], int]) -> None:
    times = rounds(200)
    delays = Random(times)
    written = [check_what_a_killed_writer_left(tmp_path / str(run), delays.uniform(0, 0.15)) for run in range(times)]
    assert sum(written) > times, "the writers were killed before they wrote anything: the test shows nothing"


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"0" * 300_000, durable=False)
    program = (
        "import sys, pathlib\n"
        "from timetracer_otel.store import write_atomically\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "for number in range(200): write_atomically(path, str(number % 10).encode() * 300_000, False)\n"
    )
    seen: set[bytes] = set()
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as writer:
        while writer.poll() is None:
            data = path.read_bytes()
            assert data == data[:1] * 300_000
            seen.add(data[:1])
    assert writer.returncode == 0
    assert len(seen) > 1, "the reader never saw a change: the test shows nothing"


@pytest.mark.parametrize("durable", [False, True])
def test_only_the_file_itself_is_left(tmp_path: Path, durable: bool) -> None:
    write_atomically(tmp_path / "file", b"old", durable)
    write_atomically(tmp_path / "file", b"new", durable)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"new"}


def test_durable_waits_for_the_file_and_its_folder_and_otherwise_nothing_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.path.isdir(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "file", b"data", durable=False)
    assert synced == []
    write_atomically(tmp_path / "file", b"data", durable=True)
    assert len(synced) == 2
    if sys.platform == "linux":
        assert synced == [False, True]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file", b"new", durable=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import pathlib, resource, signal, sys\n"
        "from timetracer_otel.store import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_atomically(pathlib.Path(sys.argv[1]), bytes(5000), False)\n"
        "except OSError as error: print(type(error).__name__)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-B", "-c", program, str(tmp_path / "file")], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "OSError\n"
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_a_bundle_may_be_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100)
    write_atomically(path, b"data", durable=False)
    assert path.read_bytes() == b"data"


def test_writing_draws_nothing_from_the_random_numbers_of_the_application(tmp_path: Path) -> None:
    import random

    random.seed(7)
    expected = Random(7).random()
    Store(tmp_path).write_environment("9f" * 16, 0, b"{}")
    Store(tmp_path).write_part(TRACE_ID, ROOT_ID, "9f" * 16, 0, b"{}")
    assert random.random() == expected
