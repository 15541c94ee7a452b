"""Where parts are written, and what happens when they cannot be."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest
from opentelemetry.trace import SpanKind

from tests.exporters.conftest import Recording
from timetracer_otel.capture import guard, segments
from timetracer_otel.capture.segments import Batch, SegmentBatch
from timetracer_otel.config import Settings, Write
from timetracer_otel.exporters import active as actives
from timetracer_otel.exporters import writer as writers
from timetracer_otel.exporters.encode import Encoder

Threads = list[threading.Thread]


@pytest.fixture
def writing_threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    """The thread of each part that is written."""
    threads: Threads = []
    original = Encoder.save

    def save(self: Encoder, batch: Batch) -> None:
        threads.append(threading.current_thread())
        original(self, batch)

    monkeypatch.setattr(Encoder, "save", save)
    return threads


def test_a_script_writes_in_its_own_thread(recording: Recording, writing_threads: Threads) -> None:
    recording.tracer.start_span("root").end()
    assert writing_threads == [threading.current_thread()]


def test_a_server_writes_in_a_daemon_thread(recording: Recording, writing_threads: Threads) -> None:
    recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    assert recording.active.writer.flush(60)
    (thread,) = writing_threads
    assert thread is not threading.current_thread()
    assert thread.daemon


@pytest.mark.parametrize("is_on_loop", [False, True])
def test_it_is_prepared_at_once_or_in_the_background_of_an_event_loop(
    is_on_loop: bool, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: Threads = []
    monkeypatch.setattr(writers.Writer, "_encoder_of_process", lambda _: threads.append(threading.current_thread()))

    async def main() -> None:
        recording.active.recorder.prepare()

    asyncio.run(main()) if is_on_loop else recording.active.recorder.prepare()
    assert recording.active.writer.flush(60)
    assert [each is threading.current_thread() for each in threads] == [not is_on_loop]


def test_preparing_that_fails_does_not_reach_the_app(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(writers.Writer, "_encoder_of_process", fail)
    before = guard.counts()["writer"]
    recording.active.recorder.prepare()
    assert guard.counts()["writer"] == before + 1


@pytest.mark.parametrize("write", get_args(Write))
def test_on_an_event_loop_nothing_is_ever_written(
    write: Write, record: Callable[[Settings], Recording], tmp_path: Path, writing_threads: Threads
) -> None:
    recording = record(Settings(store=str(tmp_path), write=write))

    async def main() -> None:
        recording.tracer.start_span("root").end()

    asyncio.run(main())
    assert recording.active.writer.flush(60)
    (thread,) = writing_threads
    assert thread is not threading.current_thread()


@pytest.mark.parametrize(("write", "is_here"), [("sync", True), ("background", False)])
def test_the_setting_goes_before_the_kind_of_the_root(
    write: Write,
    is_here: bool,
    record: Callable[[Settings], Recording],
    tmp_path: Path,
    writing_threads: Threads,
) -> None:
    recording = record(Settings(store=str(tmp_path), write=write))
    recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    recording.tracer.start_span("script").end()
    assert recording.active.writer.flush(60)
    assert [thread is threading.current_thread() for thread in writing_threads] == [is_here, is_here]


def test_r26_a_file_where_the_store_should_be_is_logged_once_and_recording_resumes(
    record: Callable[[Settings], Recording], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "store"
    place.write_text("a file")
    recording = record(Settings(store=str(place)))
    for _ in range(3):
        recording.tracer.start_span("lost").end()
    (line,) = [record for record in caplog.records if record.name == guard.log.name]
    assert line.levelno == logging.WARNING
    assert str(place) in line.getMessage()
    assert place.read_text() == "a file"
    place.unlink()
    recording.tracer.start_span("kept").end()
    (segment,) = recording.cassette().segments
    assert segment.root is not None
    assert segment.root.name == "kept"
    assert segment.dropped == {"guard.store.ENOTDIR": 3, "part": 3}


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write everywhere: here it is somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_r26_a_folder_without_the_right_to_write_is_logged_with_its_cause(
    record: Callable[[Settings], Recording], caplog: pytest.LogCaptureFixture
) -> None:
    import orjson  # noqa: F401  while we may still read everything
    import zstandard  # noqa: F401

    recording = record(Settings(store="/store-of-the-test"))
    with nobody():
        recording.tracer.start_span("lost").end()
    assert guard.failures["store.EACCES"] == 1
    assert "Permission denied" in caplog.text


def test_r26_a_full_disk_is_another_cause_and_another_line(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    causes = [OSError(28, "No space left on device"), OSError(13, "Permission denied"), OSError(28, "No space left")]

    def full(_: Encoder, __: Batch) -> None:
        raise causes.pop(0)

    monkeypatch.setattr(Encoder, "save", full)
    for _ in range(3):
        recording.tracer.start_span("lost").end()
    assert guard.failures == {"store.ENOSPC": 2, "store.EACCES": 1}
    assert len(caplog.records) == 2


def test_what_a_lost_part_had_to_say_is_said_by_the_next(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "strict", False)
    guard.failed("tap", ValueError("x"))
    with monkeypatch.context() as broken:
        broken.setattr(Encoder, "save", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        recording.tracer.start_span("lost").end()
    recording.tracer.start_span("kept").end()
    assert recording.cassette().segments[0].dropped == {"guard.tap": 1, "guard.store.ENOSPC": 1, "part": 1}


def test_a_queue_that_nobody_empties_is_bounded_and_counted(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "QUEUED_MAX_BATCHES", 2)
    is_free, original = threading.Event(), Encoder.save

    def slow(self: Encoder, batch: Batch) -> None:
        assert is_free.wait(60)
        original(self, batch)

    monkeypatch.setattr(Encoder, "save", slow)
    for _ in range(10):
        recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    is_free.set()
    assert recording.active.writer.flush(60)
    recording.tracer.start_span("last", kind=SpanKind.SERVER).end()
    cassettes = recording.cassettes()
    assert 3 <= len(cassettes) <= 4
    assert cassettes[-1].segments[0].dropped == {"queue": 11 - len(cassettes)}


def test_a_flush_that_takes_too_long_says_so(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    is_free = threading.Event()
    monkeypatch.setattr(Encoder, "save", lambda *_: is_free.wait(60))
    recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    assert not recording.active.processor.force_flush(timeout_millis=50)
    is_free.set()
    assert recording.active.processor.force_flush()


@pytest.mark.parametrize(("leave", "limit"), [("_flush", "LEAVING_TIMEOUT_S"), ("_at_exit", "EXIT_TIMEOUT_S")])
def test_a_process_that_ends_before_all_is_written_says_how_much_is_not(
    leave: str,
    limit: str,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server of uvicorn raises its signal again, and is gone."""
    is_free = threading.Event()
    monkeypatch.setattr(Encoder, "save", lambda *_: is_free.wait(60))
    monkeypatch.setattr(actives, limit, 0.05)
    for _ in range(3):
        recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    getattr(actives, leave)()
    (said,) = [each.getMessage() for each in caplog.records]
    assert said.startswith("timetracer: the process ends, and 3 parts wait after 0 s; what is not written is lost")
    is_free.set()
    assert recording.active.writer.flush(60)
    getattr(actives, leave)()
    assert len(caplog.records) == 1


def test_when_no_thread_can_be_started_the_caller_writes(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, writing_threads: Threads
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recording.tracer.start_span("GET /", kind=SpanKind.SERVER).end()
    assert recording.active.writer.flush(0.1)
    assert writing_threads == [threading.current_thread()]


def test_payloads_are_counted_off_once_they_are_written(recording: Recording) -> None:
    recorder = recording.active.recorder
    with recording.tracer.start_as_current_span("root"):
        captured = recorder.open("fake", {"n": 1})
        assert captured is not None
        recorder.close(captured, {"rows": 1}, 100)
        recorder.close(captured, {"rows": 2}, 300)  # the second answer takes the first one's place
        assert recorder._budget.in_flight == 300
    assert recorder._budget.in_flight == 0


def test_a_store_that_hangs_keeps_an_app_that_ends_waiting_once(
    record: Callable[[Settings], Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK flushes our processor, then our exporter, and then we flush at exit: each for up to 30 seconds."""
    released, asked = threading.Event(), []

    class Waiting(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.append(timeout)
            return super().wait(timeout)

    monkeypatch.setattr(Encoder, "save", lambda self, batch: released.wait(60) and None)
    recording = record(Settings(store=str(tmp_path), write="background"))
    recording.tracer.start_span("root").end()
    writer = recording.active.writer
    monkeypatch.setattr(threading, "Event", Waiting)
    assert [writer.flush(timeout_s) for timeout_s in (0.001, 0.3, 0.3)] == [False] * 3
    assert asked == [0.001, 0.3, 0]
    released.set()
    assert writer.flush(60)


def test_batches_of_one_segment_keep_their_order_where_some_were_queued(
    record: Callable[[Settings], Recording], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that runs an event loop for a while hands over on the loop, and then again outside of it."""
    recording = record(Settings(store=str(tmp_path), write="sync"))
    written: list[int] = []
    original = Encoder.save

    def slow(self: Encoder, batch: Batch) -> None:
        if isinstance(batch, SegmentBatch):
            time.sleep(0.05 if batch.part == 0 else 0)
            written.append(batch.part)
        original(self, batch)

    monkeypatch.setattr(Encoder, "save", slow)
    monkeypatch.setattr(segments, "PART_MAX_SPANS", 2)

    async def work() -> None:
        for number in range(2):
            recording.tracer.start_span(str(number)).end()

    with recording.tracer.start_as_current_span("root"):
        asyncio.run(work())
    assert recording.active.writer.flush(60)
    assert written == sorted(written)
    assert len(written) == 2


def test_what_interrupts_a_write_is_counted_and_its_bytes_are_free_again(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Encoder, batch: Batch) -> None:
        raise KeyboardInterrupt

    recorder = recording.active.recorder
    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "save", interrupted)
        with recording.tracer.start_as_current_span("root", end_on_exit=False) as root:
            captured = recorder.open("fake", {"n": 1})
            assert captured is not None
            recorder.close(captured, {"n": 1}, 1_000)
        with pytest.raises(KeyboardInterrupt):
            root.end()
    assert recorder._budget.in_flight == 0
    recording.tracer.start_span("next").end()
    (segment,) = recording.cassette().segments
    assert segment.dropped == {"interrupted": 1}
