"""Large payloads go to disk chunk by chunk: in order, in the writer's thread, and leave nothing that nobody wants."""

from __future__ import annotations

import errno
import gc
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from timetracer_otel.capture import guard, process
from timetracer_otel.cassette.model import Blob
from timetracer_otel.exporters.spill import LATE_S, LOST, STORE, DiskSpill
from timetracer_otel.redaction import Redactor, Scrubber
from timetracer_otel.store.blobs import BlobWriter
from timetracer_otel.store.limits import Room
from timetracer_otel.store.resolving import Resolver

KEY = b"AKIAIOSFODNN7EXAMPLE"


class Desk:
    """A writer whose thread works when it is told to."""

    def __init__(self, root: Path, room: Room | None = None) -> None:
        self.root, self.room = root, room or Room(root, None, None)
        self.works: list[Callable[[], None]] = []
        self.released: list[int] = []
        self.blobs: list[BlobWriter] = []

    def begin(self) -> tuple[Scrubber, BlobWriter]:
        self.blobs.append(BlobWriter(self.root, self.root / "1.blob", self.room))
        return Redactor().stream(), self.blobs[-1]

    def spill(self) -> DiskSpill:
        return DiskSpill(self.works.append, self.begin, self.released.append)

    def work(self) -> None:
        while self.works:
            self.works.pop(0)()

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.root.rglob("*") if path.is_file())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def contents(desk: Desk, blobs: list[Blob]) -> list[bytes]:
    return list(map(Resolver(desk.root), blobs))


def test_chunks_come_back_as_they_were_heard(desk: Desk) -> None:
    spill, chunks = desk.spill(), [b"a" * 70_000, b"", b"b", b"\xff\x00" * 9]
    for chunk in chunks:
        spill.write(chunk)
    assert len(desk.works) == 1  # the writer is told once, however many chunks wait for it
    assert desk.released == []
    spill.end()
    desk.work()
    assert desk.released == [len(chunk) for chunk in chunks]
    blobs = spill.blobs()
    assert blobs is not None
    assert contents(desk, list(blobs)) == chunks
    assert spill.blobs() == blobs  # a later revision refers to the same


def test_a_secret_across_two_chunks_is_masked_and_nothing_is_lost(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"x " * 50 + KEY[:8])
    desk.work()
    spill.write(KEY[8:] + b" tail")
    spill.end()
    desk.work()
    blobs = spill.blobs()
    assert blobs is not None
    stored = b"".join(contents(desk, list(blobs)))
    assert len(blobs) == 2
    assert KEY not in stored
    assert stored.startswith(b"x " * 50 + b"[redacted:")
    assert stored.endswith(b"] tail")


def test_nothing_is_named_before_a_part_refers_to_it(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"data")
    spill.end()
    desk.work()
    assert desk.files == ["1.blob"]
    spill.discard()
    desk.work()
    assert desk.files == []


def test_a_spill_that_nobody_refers_to_any_more_is_discarded_by_the_writer(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"data")
    desk.work()
    assert desk.files == ["1.blob"]
    del spill
    gc.collect()
    assert desk.files == ["1.blob"]  # the app's thread does no I/O
    desk.work()
    assert desk.files == []


def test_a_spill_is_not_kept_alive_by_the_exchange_that_it_belongs_to(desk: Desk) -> None:
    class Exchange:
        spill: DiskSpill

    exchange = Exchange()
    begun = partial(lambda captured: desk.begin(), exchange)
    exchange.spill = DiskSpill(desk.works.append, begun, desk.released.append)
    exchange.spill.write(b"data")
    desk.work()
    del exchange, begun
    gc.collect()
    desk.work()
    assert desk.files == []


def test_the_writer_does_not_wait_for_itself(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"data")
    desk.work()
    begun_s = time.monotonic()
    assert (spill.blobs(), spill.reason) == (None, None)
    assert time.monotonic() - begun_s < LATE_S / 2
    spill.end()
    desk.work()
    assert spill.blobs() is not None


def test_a_named_blob_stays_when_the_spill_goes(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"data")
    spill.end()
    desk.work()
    assert spill.blobs() is not None
    del spill
    gc.collect()
    desk.work()
    assert len(desk.files) == 1


def test_chunks_after_a_discard_are_let_go(desk: Desk) -> None:
    spill = desk.spill()
    spill.write(b"one")
    spill.discard()
    spill.write(b"two")
    desk.work()
    assert desk.released == [3, 3]
    assert (spill.blobs.__name__, desk.files) == ("blobs", [])


def test_a_full_store_loses_the_payload_says_why_and_frees_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    desk = Desk(tmp_path, Room(tmp_path, 1, None))
    spill = desk.spill()
    for _ in range(3):
        spill.write(bytes(range(256)) * 4_000)
    spill.end()
    desk.work()
    assert spill.blobs() is None
    assert spill.reason == "store_max"
    assert len(desk.released) == 3
    assert desk.files == []


def test_a_disk_that_refuses_loses_the_payload(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: BlobWriter, data: bytes) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(BlobWriter, "write", refused)
    spill = desk.spill()
    spill.write(b"data")
    spill.end()
    desk.work()
    assert (spill.blobs(), spill.reason, desk.files) == (None, STORE, [])
    assert guard.failures["store.EIO"] == 1


def test_the_child_of_a_fork_does_not_write_into_its_parents_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    spill = desk.spill()
    spill.write(b"parent")
    desk.work()
    with monkeypatch.context() as child:
        child.setattr(process, "process_id", lambda: "0" * 32)
        spill.write(b"child")
        spill.end()
        desk.work()
        assert spill.blobs() is None
        assert spill.reason == LOST
        spill.discard()
        desk.work()
    assert desk.files == ["1.blob"]
    desk.blobs[0].discard()


def test_a_scrubber_that_raises_is_counted_and_loses_this_payload_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    guard.failures.clear()

    def broken(self: Scrubber, data: bytes) -> bytes:
        raise ValueError("a rule")

    monkeypatch.setattr(Scrubber, "feed", broken)
    spill = desk.spill()
    spill.write(b"data")
    spill.end()
    desk.work()
    assert (spill.blobs(), spill.reason) == (None, LOST)
    assert guard.failures["spill"] == 1
    assert (desk.released, desk.files) == ([4], [])
