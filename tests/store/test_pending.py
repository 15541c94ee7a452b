"""What one process has not decided or not finished: held parts, spools, blobs, and the lock that says that it lives."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.cassette.samples import PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query
from tests.store.processes import run
from timetracer_otel.cassette import dump_exchange, dump_part, load_part
from timetracer_otel.store import Store, write_atomically
from timetracer_otel.store.pending import Pending

PART_NAME = f"{ROOT_ID}-9f9f9f9f.0.json.zst"
FOLDER = Path("pending") / PROCESS.id


def hold(store: Store, number: int = 0) -> Path:
    return store.pending(PROCESS.id).hold(TRACE_ID, ROOT_ID, number, dump_part(part(number)))


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_held_part_is_seen_by_nobody_until_it_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    held = hold(store)
    assert held == tmp_path / FOLDER / f"{TRACE_ID}.{PART_NAME}"
    assert store.list_traces().traces == ()
    store.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert names(tmp_path / FOLDER) == ["lock"]
    assert load_part((tmp_path / TRACE_ID / PART_NAME).read_bytes(), "p") == part(0)


def test_all_held_parts_of_a_segment_are_kept_and_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store)
    hold(store, 1)
    other = store.pending(PROCESS.id).hold(TRACE_ID, "c3" * 8, 0, [b"{", b"}"])
    store.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert names(tmp_path / TRACE_ID) == [PART_NAME, PART_NAME.replace(".0.", ".1.")]
    assert names(tmp_path / FOLDER) == [other.name, "lock"]


def test_held_parts_that_are_dropped_are_gone_and_dropping_them_again_is_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store).unlink()
    hold(store, 1)
    store.pending(PROCESS.id).drop(TRACE_ID, ROOT_ID)
    store.pending(PROCESS.id).drop(TRACE_ID, ROOT_ID)
    store.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert names(tmp_path / FOLDER) == ["lock"]
    assert store.list_traces().traces == ()


def test_a_held_part_that_cannot_be_kept_does_not_keep_back_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store).unlink()
    hold(store, 1)
    with pytest.raises(FileNotFoundError):
        store.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert names(tmp_path / TRACE_ID) == [PART_NAME.replace(".0.", ".1.")]


def test_a_spool_holds_what_was_appended_line_by_line(tmp_path: Path) -> None:
    spool = Store(tmp_path).pending(PROCESS.id).spool(TRACE_ID, ROOT_ID, 0)
    assert spool.path == tmp_path / FOLDER / f"{TRACE_ID}.{ROOT_ID}-9f9f9f9f.0.spool"
    lines = [dump_part(ROOT_PART, []), dump_exchange(query(1)), dump_exchange(query(2))]
    for line in lines:
        spool.append(line)
    assert spool.path.read_bytes().splitlines() == lines
    spool.remove()
    spool.remove()
    assert names(tmp_path / FOLDER) == ["lock"]


def test_a_line_that_was_written_in_part_does_not_spoil_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Store(tmp_path).pending(PROCESS.id).spool(TRACE_ID, ROOT_ID, 0)
    write, left = os.write, [3]

    def full(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: left.pop()])

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            spool.append(b"second")
    spool.append(b"third")
    assert spool.path.read_bytes() == b"sec\nthird\n"


def test_what_is_empty_is_taken_away_and_made_again_by_the_next_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    pending = store.pending(PROCESS.id)
    pending.close()
    assert names(tmp_path) == []
    hold(store)
    pending.close()
    assert "lock" in names(tmp_path / FOLDER), "it holds a part"
    pending.keep(TRACE_ID, ROOT_ID)
    pending.close()
    assert names(tmp_path / "pending") == []
    hold(store)
    assert len(names(tmp_path / FOLDER)) == 2


def test_a_folder_that_somebody_deleted_is_made_again_with_its_lock(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store).unlink()
    (tmp_path / FOLDER / "lock").unlink()
    (tmp_path / FOLDER).rmdir()
    hold(store)
    assert names(tmp_path / FOLDER) == [f"{TRACE_ID}.{PART_NAME}", "lock"]


def test_a_spool_that_somebody_deleted_takes_what_comes_and_says_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    spool = store.pending(PROCESS.id).spool(TRACE_ID, ROOT_ID, 0)
    spool.append(b"{}")
    shutil.rmtree(tmp_path / "pending")
    spool.append(b"{}")
    spool.remove()
    assert not (tmp_path / "pending").exists()


@pytest.mark.skipif(os.name != "posix", reason="no record locks")
def test_a_process_that_read_its_own_lock_has_it_again_with_the_next_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store)
    (tmp_path / FOLDER / "lock").read_bytes()
    hold(store, 1)
    assert run(tmp_path, "print(store.adopt(), store.unfinished().living)") == "0 1"


def test_r31_a_held_part_is_not_kept_in_a_trace_that_is_a_link(tmp_path: Path) -> None:
    store = Store(tmp_path)
    hold(store)
    (tmp_path / "outside").mkdir()
    (tmp_path / TRACE_ID).symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        store.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert os.listdir(tmp_path / "outside") == []


def test_each_process_has_one_of_its_own_and_always_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.pending(PROCESS.id) is store.pending(PROCESS.id)
    assert store.pending("ab" * 16) is not store.pending(PROCESS.id)
    with pytest.raises(ValueError, match="is no name of a file in a store"):
        store.pending("../../etc")


def test_two_stores_of_one_process_share_its_folder(tmp_path: Path) -> None:
    one, other = Store(tmp_path), Store(tmp_path)
    hold(one)
    hold(other, 1)
    assert len(names(tmp_path / FOLDER)) == 3
    other.pending(PROCESS.id).close()
    one.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    one.pending(PROCESS.id).close()
    other.pending(PROCESS.id).keep(TRACE_ID, ROOT_ID)
    assert names(tmp_path / TRACE_ID) == [PART_NAME, PART_NAME.replace(".0.", ".1.")]


def test_the_folder_stays_while_another_thread_is_about_to_put_something_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, writes = Store(tmp_path), []

    def closed_meanwhile(path: Path, data: bytes, durable: bool) -> None:
        closer = threading.Thread(target=store.pending(PROCESS.id).close)
        closer.start()
        closer.join()
        writes.append(path)
        write_atomically(path, data, durable)

    monkeypatch.setattr("timetracer_otel.store.pending.write_atomically", closed_meanwhile)
    assert [hold(store)] == writes
    assert len(names(tmp_path / FOLDER)) == 2


def test_r30_threads_hold_keep_and_close_side_by_side_and_lose_nothing(tmp_path: Path) -> None:
    pending = Store(tmp_path).pending(PROCESS.id)
    threads = [threading.Thread(target=_hold_and_keep, args=(pending, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(tmp_path / TRACE_ID)) == 8 * 25
    pending.close()
    assert names(tmp_path / "pending") == []


def _hold_and_keep(pending: Pending, number: int) -> None:
    for count in range(25):
        root_id = f"{number:08x}{count:08x}"
        pending.hold(TRACE_ID, root_id, 0, b"{}")
        pending.keep(TRACE_ID, root_id)
        pending.close()
