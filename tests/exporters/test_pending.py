"""What is written before its time: early parts, held ones, spools, payloads beside their part. With the real store."""

from __future__ import annotations

import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from tests.exporters.conftest import Recording
from timetracer_otel.capture import guard, segments
from timetracer_otel.cassette.blobs import INLINE_MAX_BYTES
from timetracer_otel.config import KIB, Keep, Settings
from timetracer_otel.errors import StoreFull
from timetracer_otel.exporters import active
from timetracer_otel.exporters.encode import Encoder

Record = Callable[[Settings], Recording]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "PART_MAX_BYTES", 10 * KIB)


@pytest.fixture
def errors_only(record: Record, tmp_path: Path) -> Recording:
    keep = Keep(everything=False, errors=True)
    return record(Settings(store=str(tmp_path / "store"), keep=keep, in_flight_max_bytes=24 * KIB))


def exchange(recording: Recording, number: int, size: int = 6 * KIB) -> None:
    recorder = recording.active.recorder
    captured = recorder.open("fake", {"n": number})
    assert captured is not None
    recorder.close(captured, {"answer": number}, size)


def files(recording: Recording) -> list[str]:
    root = recording.store.root
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def pending(recording: Recording) -> list[str]:
    return [name for name in files(recording) if name.startswith("pending/") and not name.endswith("lock")]


def test_early_parts_and_the_last_one_are_one_complete_segment(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"):
        for number in range(5):
            exchange(recording, number)
        assert len(files(recording)) == 2
    (segment,) = recording.cassette().segments
    assert segment.complete
    assert segment.parts == (0, 1, 2)
    assert [one.request["n"] for one in segment.exchanges] == [0, 1, 2, 3, 4]
    assert segment.entry is not None
    assert (segment.entry.name, segment.entry.outcome) == ("root", "ok")


def test_a_segment_that_has_not_ended_says_its_name(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("root"):
        for number in range(2):
            exchange(recording, number)
        (segment,) = recording.cassette().segments
        assert not segment.complete
        assert segment.entry is not None
        assert (segment.entry.name, segment.entry.outcome) == ("root", "unfinished")


def test_held_parts_are_seen_once_their_segment_is_kept(errors_only: Recording) -> None:
    with errors_only.tracer.start_as_current_span("root") as root:
        for number in range(4):
            exchange(errors_only, number)
        assert errors_only.cassettes() == []
        assert len(pending(errors_only)) == 2
        root.set_status(StatusCode.ERROR)
    (segment,) = errors_only.cassette().segments
    assert (segment.complete, len(segment.exchanges)) == (True, 4)
    assert pending(errors_only) == []


def test_held_parts_of_a_segment_that_went_well_are_gone(errors_only: Recording) -> None:
    with errors_only.tracer.start_as_current_span("root"):
        for number in range(4):
            exchange(errors_only, number)
    assert errors_only.cassettes() == []
    assert pending(errors_only) == []


def test_nothing_is_left_in_pending_when_recording_ends(errors_only: Recording) -> None:
    with errors_only.tracer.start_as_current_span("root"):
        for number in range(4):
            exchange(errors_only, number)
    active.stop()
    assert [path for path in errors_only.store.root.rglob("*") if "pending" in path.parts and path.is_file()] == []


def test_a_large_payload_lies_beside_its_part(recording: Recording) -> None:
    text = "x" * (INLINE_MAX_BYTES + 1)
    with recording.tracer.start_as_current_span("root"):
        recorder = recording.active.recorder
        captured = recorder.open("fake", {"n": 1})
        assert captured is not None
        recorder.close(captured, {"text": text}, 10)
    (segment,) = recording.cassette().segments
    assert segment.exchanges[0].result == {"text": text}
    assert len([name for name in files(recording) if name.startswith("blobs/")]) == 1


def _in_child(work: Callable[[], None]) -> int:
    """How the child of a fork ended that did this work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _killed(recording: Recording, exchanges: int) -> Callable[[], None]:
    def work() -> None:
        with recording.tracer.start_as_current_span("run/tasks.charge", kind=SpanKind.CONSUMER):
            for number in range(exchanges):
                exchange(recording, number, size=10)
            os.kill(os.getpid(), signal.SIGKILL)

    return work


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_killed_child_had_captured_is_adopted_and_incomplete(recording: Recording) -> None:
    assert _in_child(_killed(recording, 3)) == -signal.SIGKILL
    assert recording.cassettes() == []
    assert recording.store.adopt() == 1
    (segment,) = recording.cassette().segments
    assert not segment.complete
    assert [one.result["answer"] for one in segment.exchanges] == [0, 1, 2]
    assert segment.entry is not None
    assert (segment.entry.name, segment.entry.outcome) == ("run/tasks.charge", "unfinished")
    assert segment.process.parent is not None


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_writes_with_what_its_parent_prepared(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.active.recorder.prepare()
    monkeypatch.setattr(Encoder, "__init__", lambda *_: os._exit(3))
    assert _in_child(lambda: recording.tracer.start_span("run/tasks.charge", kind=SpanKind.CONSUMER).end()) == 0
    (segment,) = recording.cassette().segments
    assert segment.complete
    assert segment.process.pid != os.getpid()
    assert segment.process.parent is not None


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_of_a_killed_child_the_ids_are_kept_that_its_exchanges_show(recording: Recording) -> None:
    def work() -> None:
        recorder = recording.active.recorder
        with recording.tracer.start_as_current_span("run/tasks.charge", kind=SpanKind.CONSUMER):
            made = [uuid.uuid4() for _ in range(4)]
            for shown in (made[1], made[3], made[1]):
                captured = recorder.open("fake", {"id": str(shown)})
                assert captured is not None
                recorder.close(captured, {}, 10)
            os.kill(os.getpid(), signal.SIGKILL)

    _in_child(work)
    assert recording.store.adopt() == 1
    (segment,) = recording.cassette().segments
    first, second, third = (uuid.UUID(str(one.request["id"])).hex for one in segment.exchanges)
    assert first == third
    assert [(one.index, one.value) for one in segment.generated] == [(1, first), (3, second)]
    assert segment.dropped == {}


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_next_child_adopts_what_a_killed_one_left(recording: Recording) -> None:
    _in_child(_killed(recording, 1))
    _in_child(lambda: recording.tracer.start_span("run/tasks.next", kind=SpanKind.CONSUMER).end())
    names = {segment.entry.name for one in recording.cassettes() for segment in one.segments if segment.entry}
    assert names == {"run/tasks.charge", "run/tasks.next"}


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_that_ends_its_task_leaves_no_spool(recording: Recording) -> None:
    def work() -> None:
        with recording.tracer.start_as_current_span("run/tasks.charge", kind=SpanKind.CONSUMER):
            exchange(recording, 1, size=10)
            assert [name for name in pending(recording) if name.endswith(".spool")]

    _in_child(work)
    (segment,) = recording.cassette().segments
    assert (segment.complete, len(segment.exchanges)) == (True, 1)
    assert pending(recording) == []


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_comes_of_an_answer_after_a_child_has_spooled_it_is_in_its_part(recording: Recording) -> None:
    def work() -> None:
        recorder, rows = recording.active.recorder, [1]
        with recording.tracer.start_as_current_span("run/tasks.charge", kind=SpanKind.CONSUMER):
            captured = recorder.open("fake", {"n": 1})
            assert captured is not None
            for size in (10, 20):
                recorder.close(captured, {"rows": list(rows)}, size)
                rows.append(2)

    _in_child(work)
    ((exchange,),) = (segment.exchanges for segment in recording.cassette().segments)
    assert exchange.result == {"rows": [1, 2]}


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_r26_a_child_leaves_no_spool_for_which_there_was_no_room(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = record(Settings(store=str(tmp_path / "store"), store_max_bytes=1))
    monkeypatch.setattr(guard, "strict", False)

    def work() -> None:
        with recording.tracer.start_as_current_span("run/tasks.charge", kind=SpanKind.CONSUMER):
            exchange(recording, 1, size=10)
        os._exit(guard.failures["store.store_max"])

    assert _in_child(work) == 2  # for the spool, and for the part
    assert [name for name in pending(recording) if name.endswith(".spool")] == []


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_r25_what_a_child_lost_to_a_full_store_is_known_after_its_end_and_said_by_a_next_part(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "strict", False)

    def lose(*names: str) -> None:
        for name in names:
            recording.tracer.start_span(name).end()

    with monkeypatch.context() as full:
        full.setattr(Encoder, "save", _no_room)
        lose("parent")
        for name in ("child", "other child"):
            _in_child(partial(lose, name, name))
        assert recording.store.untold_losses()["store_max"] == 5
    for name in ("there is room again", "adopts", "says"):
        recording.tracer.start_span(name).end()
    said = Counter[str]()
    for cassette in recording.cassettes():
        said.update(cassette.segments[0].dropped)
    assert said["store_max"] == 5
    assert (recording.store.untold_losses(), pending(recording)) == ({}, [])


def _no_room(encoder: Encoder, batch: object) -> None:
    raise StoreFull("store", "store_max", 1)


@needs_fork
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_under_a_span_gives_a_segment_that_names_its_parent(recording: Recording) -> None:
    with recording.tracer.start_as_current_span("GET /", kind=SpanKind.SERVER) as root:

        def work() -> None:
            exchange(recording, 1, size=10)
            with recording.tracer.start_as_current_span("query", kind=SpanKind.CLIENT):
                exchange(recording, 2, size=10)
            exchange(recording, 3, size=10)

        _in_child(work)
    by_parent = {segment.parent_segment: segment for segment in recording.cassette().segments}
    root_id = trace.format_span_id(root.get_span_context().span_id)
    assert set(by_parent) == {None, root_id}
    assert [one.request["n"] for one in by_parent[root_id].exchanges] == [1, 2, 3]
    assert by_parent[None].exchanges == ()
