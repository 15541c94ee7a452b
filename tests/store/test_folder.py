from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import ENVIRONMENT_PART, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query
from timetracer_otel.cassette import dump_environment, dump_part, load_environment, load_part
from timetracer_otel.errors import StoreFull
from timetracer_otel.store import Store

PART_NAME = f"{ROOT_ID}-9f9f9f9f.0.json.zst"


def test_parts_and_environments_lie_where_the_design_says(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "store")
    written = Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART)))
    assert written == tmp_path / "new" / "store" / TRACE_ID / PART_NAME
    assert load_part(written.read_bytes(), "p") == ROOT_PART
    environment = Path(store.write_environment(PROCESS.id, 3, dump_environment(ENVIRONMENT_PART), durable=True))
    assert environment == tmp_path / "new" / "store" / "processes" / f"{PROCESS.id}.3.json.zst"
    assert load_environment(environment.read_bytes(), "p") == ENVIRONMENT_PART


def test_a_store_that_was_never_written_makes_no_folder(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.list_traces()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("wrong", ["..", "../../etc", "", "7F" * 16, "7f3a/" * 8])
def test_an_id_that_is_none_is_never_a_path(tmp_path: Path, wrong: str) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(ValueError, match="is no name of a file in a store"):
        store.write_part(wrong, ROOT_ID, PROCESS.id, 0, b"{}")
    with pytest.raises(ValueError, match="is no name of a file in a store"):
        store.write_part(TRACE_ID, wrong, PROCESS.id, 0, b"{}")
    with pytest.raises(ValueError, match="is no name of a file in a store"):
        store.write_environment(wrong, 0, b"{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blocked", ["store", f"store/{TRACE_ID}"])
def test_a_file_where_a_folder_should_be_is_said_in_words(tmp_path: Path, blocked: str) -> None:
    (tmp_path / blocked).parent.mkdir(exist_ok=True)
    (tmp_path / blocked).write_text("mine")
    with pytest.raises(OSError, match="a file stands where the store needs a folder: ") as caught:
        Store(tmp_path / "store").write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, b"{}")
    assert str(tmp_path) in str(caught.value)
    assert (tmp_path / blocked).read_text() == "mine"


def test_a_recorder_writes_on_where_it_began_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = Store("cassettes")
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART))
    assert (tmp_path / "cassettes" / TRACE_ID / PART_NAME).exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_threads_write_side_by_side(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def write(number: int) -> None:
        data = dump_part(part(number, exchanges=(query(number),)))
        store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, number, data)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cassette, _ = store.open_cassette(TRACE_ID)
    assert cassette.segments[0].parts == tuple(range(16))
    assert cassette.segments[0].exchanges == tuple(query(number) for number in range(16))


def test_a_trace_folder_that_somebody_deleted_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART))).unlink()
    (tmp_path / TRACE_ID).rmdir()
    store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 1, dump_part(replace(ROOT_PART, part=1)))
    assert store.open_cassette(TRACE_ID)[0].segments[0].parts == (1,)


@pytest.mark.parametrize("store_max_bytes", [1, None])
def test_r26_a_trace_that_cannot_be_written_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_max_bytes: int | None
) -> None:
    """A store or disk that stays full for a day would hold one for each trace of that day."""
    monkeypatch.setattr(os, "write", _no_room)
    with pytest.raises(OSError) as caught:
        Store(tmp_path, store_max_bytes).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART))
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, StoreFull) is (store_max_bytes is not None)
    assert list(tmp_path.iterdir()) == []


def _no_room(descriptor: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
