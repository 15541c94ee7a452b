"""What is too large for a part, streamed to where the hash of its content says."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from tests.cassette.samples import PROCESS
from timetracer_otel.cassette import Blob, decompress
from timetracer_otel.store import Store
from timetracer_otel.store.resolving import Resolver

CONTENT = bytes(range(256)) * 5000


def test_a_blob_is_named_by_the_hash_of_its_content_and_read_back(tmp_path: Path) -> None:
    writer = Store(tmp_path).pending(PROCESS.id).blob()
    for start in range(0, len(CONTENT), 65_536):
        writer.write(CONTENT[start : start + 65_536])
    assert not (tmp_path / "blobs").exists(), "nobody sees it before it is whole"
    assert writer.size == len(CONTENT)
    sha256 = writer.commit()
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert decompress((tmp_path / "blobs" / sha256).read_bytes()) == CONTENT
    assert Resolver(tmp_path)(Blob(sha256, 100, 3)) == CONTENT[100:103]
    assert os.listdir(tmp_path / "pending" / PROCESS.id) == ["lock"]


def test_an_empty_blob_is_one_as_well(tmp_path: Path) -> None:
    sha256 = Store(tmp_path).write_blob(PROCESS.id, b"")
    assert Resolver(tmp_path)(Blob(sha256, 0, 0)) == b""


def test_the_same_content_is_there_once_and_as_young_as_its_last_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = tmp_path / "blobs" / store.write_blob(PROCESS.id, CONTENT)
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    assert store.write_blob(PROCESS.id, CONTENT) == path.name
    assert os.listdir(tmp_path / "blobs") == [path.name]
    assert path.stat().st_ino == inode
    assert path.stat().st_mtime > 1


def test_content_whose_blob_was_pruned_is_written_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = tmp_path / "blobs" / store.write_blob(PROCESS.id, CONTENT)
    path.unlink()
    assert store.write_blob(PROCESS.id, CONTENT) == path.name
    assert decompress(path.read_bytes()) == CONTENT


def test_a_blob_that_is_not_wanted_leaves_nothing(tmp_path: Path) -> None:
    writer = Store(tmp_path).pending(PROCESS.id).blob()
    writer.write(CONTENT)
    writer.discard()
    writer.discard()
    assert os.listdir(tmp_path / "pending" / PROCESS.id) == ["lock"]
    assert not (tmp_path / "blobs").exists()


def test_a_large_blob_costs_little_memory(tmp_path: Path) -> None:
    chunk = os.urandom(256 * 1024)
    writer = Store(tmp_path).pending(PROCESS.id).blob()
    tracemalloc.start()
    try:
        for _ in range(256):
            writer.write(chunk)
        writer.commit()
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()


def test_r30_threads_that_write_the_same_blob_leave_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    threads = [threading.Thread(target=store.write_blob, args=(PROCESS.id, CONTENT)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (name,) = os.listdir(tmp_path / "blobs")
    assert decompress((tmp_path / "blobs" / name).read_bytes()) == CONTENT
    assert os.listdir(tmp_path / "pending" / PROCESS.id) == ["lock"]


def test_where_the_blobs_cannot_be_the_error_names_it(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("mine")
    with pytest.raises(OSError, match="a file stands where the store needs a folder"):
        Store(tmp_path).write_blob(PROCESS.id, CONTENT)
    assert os.listdir(tmp_path / "pending" / PROCESS.id) == ["lock"]
