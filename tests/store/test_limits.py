"""How much a store may hold, and how much of its disk stays free."""

from __future__ import annotations

import errno
import os
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cassette.samples import PROCESS, ROOT_ID, TRACE_ID
from tests.store.processes import run
from timetracer_otel.config import GIB, KIB, MIB
from timetracer_otel.errors import StoreFull
from timetracer_otel.store import Store, limits
from timetracer_otel.store.blobs import BlobWriter
from timetracer_otel.store.limits import Room, file_sizes, free_bytes

PIECE = os.urandom(10 * KIB)


def write(store: Store, number: int, data: bytes = PIECE) -> Path:
    return Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, number, data))


def write_much(blob: BlobWriter) -> None:
    for _ in range(100):
        blob.write(os.urandom(64 * KIB))


def take_often(room: Room) -> None:
    for _ in range(300):
        room.take(1)


def held_bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`clock.now` is what the time is (Any: a plain holder)."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def test_r26_a_full_store_refuses_what_is_too_much_and_takes_again_when_there_is_room(
    tmp_path: Path, clock: Any
) -> None:
    store = Store(tmp_path, store_max_bytes=25 * KIB)
    paths = [write(store, 0), write(store, 1)]
    with pytest.raises(StoreFull) as caught:
        write(store, 2)
    assert (caught.value.reason, caught.value.errno) == ("store_max", errno.ENOSPC)
    assert held_bytes(tmp_path) < 25 * KIB
    paths[0].unlink()
    with pytest.raises(StoreFull):
        write(store, 2)
    clock.now += limits.RECOUNT_S
    write(store, 2)
    assert held_bytes(tmp_path) < 25 * KIB


def test_what_was_there_before_counts(tmp_path: Path) -> None:
    write(Store(tmp_path), 0, os.urandom(100 * KIB))
    with pytest.raises(StoreFull):
        write(Store(tmp_path, store_max_bytes=105 * KIB), 1)


def test_parts_environments_blobs_and_what_is_pending_count_all(tmp_path: Path) -> None:
    store = Store(tmp_path, store_max_bytes=65 * KIB)
    pending = store.pending(PROCESS.id)
    write(store, 0)
    store.write_environment(PROCESS.id, 0, PIECE)
    store.write_blob(PROCESS.id, PIECE)
    pending.hold(TRACE_ID, ROOT_ID, 1, PIECE)
    spool = pending.spool(TRACE_ID, ROOT_ID, 2)
    spool.append(PIECE)
    blob = pending.blob()
    blob.write(os.urandom(5 * KIB))
    assert sum(file_sizes(tmp_path)) >= 50 * KIB
    with pytest.raises(StoreFull):
        store.write_blob(PROCESS.id, os.urandom(40 * KIB))
    spool.remove()
    pending.drop(TRACE_ID, ROOT_ID)
    blob.discard()
    store.write_blob(PROCESS.id, os.urandom(30 * KIB))
    with pytest.raises(StoreFull):
        write(store, 3)


def test_a_blob_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path, store_max_bytes=MIB)
    blob = store.pending(PROCESS.id).blob()
    with pytest.raises(StoreFull):
        write_much(blob)
    assert held_bytes(tmp_path) <= MIB
    blob.discard()
    assert held_bytes(tmp_path) == 0
    write(store, 0)


def test_a_write_that_fails_does_not_count(tmp_path: Path) -> None:
    (tmp_path / TRACE_ID).write_text("in the way")
    store = Store(tmp_path, store_max_bytes=25 * KIB)
    for number in range(10):
        with pytest.raises(NotADirectoryError):
            write(store, number)
    (tmp_path / TRACE_ID).unlink()
    write(store, 0)


def test_a_disk_with_too_little_free_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [5 * MIB + 20 * KIB]
    monkeypatch.setattr(limits, "_free_bytes", lambda path: free[0])
    store = Store(tmp_path, free_min_bytes=5 * MIB)
    write(store, 0)
    free[0] = 5 * MIB + 5 * KIB
    with pytest.raises(StoreFull) as caught:
        write(store, 1)
    assert caught.value.reason == "free_min"
    free[0] = GIB
    write(store, 1)


def test_a_disk_with_much_free_is_asked_now_and_then_and_one_near_its_floor_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, asked, now_s = [GIB], [0], [1000.0]

    def free_now(path: object) -> int:
        asked[0] += 1
        return free[0]

    monkeypatch.setattr(limits, "_free_bytes", free_now)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    room = Room(tmp_path, None, free_min_bytes=5 * MIB)
    for _ in range(10):
        room.take(MIB)
    assert asked == [1]
    free[0] = 5 * MIB
    room.take(GIB - 5 * MIB - 10 * MIB - limits.FREE_NEAR_BYTES)  # so much is known to be left of the GiB
    assert asked == [1]
    with pytest.raises(StoreFull):
        room.take(1)
    assert asked == [2]
    free[0] = GIB
    room.take(MIB)
    assert asked == [3]
    now_s[0] += 2 * limits.FREE_S
    free[0] = 5 * MIB
    with pytest.raises(StoreFull):
        room.take(MIB)
    assert asked == [4]


def test_the_real_disk_has_a_floor_as_well(tmp_path: Path) -> None:
    with pytest.raises(StoreFull, match="its disk would have less free than TIMETRACER_FREE_MIN"):
        write(Store(tmp_path / "not" / "made"), 0) and write(Store(tmp_path, free_min_bytes=1 << 60), 0)
    assert free_bytes(tmp_path / "not" / "made" / "yet") > 0


def test_a_disk_that_does_not_say_what_is_free_has_no_floor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(path: object) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(limits, "_free_bytes", unknown)
    write(Store(tmp_path, free_min_bytes=GIB), 0)


def test_r30_processes_that_write_side_by_side_keep_the_limit_together(tmp_path: Path, clock: Any) -> None:
    program = """
for number in range(100):
    try:
        store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, number, os.urandom(100_000))
    except OSError as error:
        print(error.reason)
        break
"""
    store = Store(tmp_path, store_max_bytes=4 * MIB)
    write(store, 1000)
    limited = program.replace("for number", "store = Store(sys.argv[1], store_max_bytes=4 << 20)\nfor number", 1)
    assert run(tmp_path, limited) == "store_max"
    assert 3 * MIB < held_bytes(tmp_path) <= 4 * MIB
    clock.now += limits.RECOUNT_S
    with pytest.raises(StoreFull):
        write(store, 1001, os.urandom(200_000))


@pytest.fixture
def slow_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A store of 300 KiB, of which one write counts some ten files; those that it has looked at."""
    for number in range(300):
        (tmp_path / f"{number:032x}").mkdir()
        (tmp_path / f"{number:032x}" / "part").write_bytes(b"x" * KIB)
    ticks, size_of, looked = iter(range(100_000)), limits._size, list[str]()

    def counted(entry: os.DirEntry[str]) -> int:
        looked.append(entry.path)
        return size_of(entry)

    monkeypatch.setattr(time, "monotonic", lambda: next(ticks) * limits.SLICE_S / 10)
    monkeypatch.setattr(limits, "FIRST_SLICE_S", limits.SLICE_S)
    monkeypatch.setattr(limits, "_size", counted)
    return looked


def test_counting_a_large_store_takes_little_of_each_write(tmp_path: Path, slow_count: list[str]) -> None:
    room, steps = Room(tmp_path, 301 * KIB, None), []
    while len(slow_count) < 300:
        before = len(slow_count)
        room.take(1)
        steps.append(len(slow_count) - before)
    assert max(steps) < 30
    room.take(1)
    with pytest.raises(StoreFull):
        room.take(2 * KIB)


def test_what_is_counted_so_far_counts_already(tmp_path: Path, slow_count: list[str]) -> None:
    room = Room(tmp_path, 50 * KIB, None)
    with pytest.raises(StoreFull):
        take_often(room)
    assert len(slow_count) < 100


def test_a_child_counts_although_a_thread_of_its_parent_was_counting_when_it_was_forked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(tmp_path, MIB, None)
    room._used._turns.clear()  # that thread has taken the turn, and is not there any more
    room.take(KIB)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    (tmp_path / "part").write_bytes(bytes(MIB))
    with pytest.raises(StoreFull):
        room.take(KIB)


@pytest.mark.parametrize(("used", "numbers"), [(GIB - 200 * MIB, (3, 4)), (1, (1, 2))])
def test_a_count_rests_longer_than_it_took_and_far_from_the_limit_even_longer(
    used: int, numbers: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[Path] = []
    now = [0.0]

    def slow(root: Path) -> Any:
        counts.append(root)
        now[0] += 2.0
        yield used

    monkeypatch.setattr(limits, "file_sizes", slow)
    monkeypatch.setattr(limits, "FIRST_SLICE_S", 60.0)
    monkeypatch.setattr(limits, "SLICE_S", 60.0)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    room = Room(tmp_path, GIB, None)
    for _ in range(100):
        now[0] += 1.0
        room.take(MIB)
    assert len(counts) in numbers


def test_a_child_counts_for_itself(tmp_path: Path) -> None:
    program = """
store = Store(sys.argv[1], store_max_bytes=1 << 20)
store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, os.urandom(600_000))
child = os.fork()
store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 1 + bool(child), os.urandom(200_000))
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
try:
    Store(sys.argv[1], store_max_bytes=1 << 20).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 3, os.urandom(100_000))
except OSError as error:
    print(error.reason)
"""
    assert run(tmp_path, program) == "store_max"


def test_the_error_survives_pickling_and_is_one_line() -> None:
    error = StoreFull("/store", "store_max", 100)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (again.path, again.reason, again.limit_bytes, again.errno) == ("/store", "store_max", 100, errno.ENOSPC)
    assert str(again) == str(error)
    assert str(error).startswith("/store: the store would hold more than TIMETRACER_STORE_MAX (100 bytes); ")
