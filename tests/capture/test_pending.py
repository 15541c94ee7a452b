"""What the recorder hands over before TIMETRACER_KEEP has decided, before a root has ended, and in a forked child."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanKind, StatusCode, use_span

from tests.capture.test_recorder import Shelf, end, start
from timetracer_otel.capture import segments
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import KeepDecision, SegmentBatch, SpoolBatch
from timetracer_otel.capture.table import Captured
from timetracer_otel.config import KIB, MIB, Keep, Settings

ERRORS = Settings(keep=Keep(everything=False, errors=True))
TIGHT = replace(ERRORS, in_flight_max_bytes=20 * KIB)
"""11 KiB are more than half of it."""
T = TypeVar("T")


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "PART_MAX_BYTES", 10 * KIB)


def exchange(recorder: Recorder, span: Span, size: int, answer: object = "answer") -> Captured:
    with use_span(span):
        captured = recorder.open("fake", "request")
    assert captured is not None
    recorder.close(captured, answer, size)
    return captured


def kinds(shelf: Shelf) -> list[str]:
    return [type(batch).__name__ + ("(held)" if getattr(batch, "is_held", False) else "") for batch in shelf.batches]


def only(shelf: Shelf, kind: type[T]) -> list[T]:
    return [batch for batch in shelf.batches if isinstance(batch, kind)]


def test_a_large_segment_gives_parts_before_its_root_has_ended(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder)
    with use_span(root):
        request = recorder.open("fake", "the entry itself")
    assert request is not None
    first, second = exchange(recorder, root, 6 * KIB), exchange(recorder, root, 6 * KIB)
    (early,) = shelf.segments
    assert (early.part, early.complete, early.is_held, early.exchanges) == (0, False, False, [first, second])
    recorder.close(request, "answer", 10)
    end(recorder, root)
    _, last = shelf.segments
    assert (last.part, last.complete, last.exchanges, last.spans) == (1, True, [request], [root])
    assert request.rev == 0


def test_in_flight_bytes_of_an_early_part_are_free_when_it_is_written(shelf: Shelf) -> None:
    recorder = Recorder(Settings(in_flight_max_bytes=20 * KIB, trace_max_bytes=MIB), shelf)
    root = start(recorder)
    for _ in range(20):
        captured = exchange(recorder, root, 6 * KIB)
        assert captured.dropped is None
        for batch in shelf.segments:
            recorder.written(batch)
        shelf.batches.clear()


def test_an_early_part_is_held_while_nobody_knows_whether_it_is_kept(shelf: Shelf) -> None:
    recorder = Recorder(TIGHT, shelf)
    root = start(recorder)
    exchange(recorder, root, 11 * KIB)
    root.set_status(StatusCode.ERROR)
    end(recorder, root)
    assert kinds(shelf) == ["SegmentBatch(held)", "KeepDecision", "SegmentBatch"]
    (decision,) = only(shelf, KeepDecision)
    assert decision.is_kept


def test_a_held_part_is_dropped_when_its_root_ends_well(shelf: Shelf) -> None:
    recorder = Recorder(TIGHT, shelf)
    root = start(recorder)
    exchange(recorder, root, 11 * KIB)
    end(recorder, root)
    assert kinds(shelf) == ["SegmentBatch(held)", "KeepDecision"]
    (decision,) = only(shelf, KeepDecision)
    assert not decision.is_kept
    assert (decision.trace_id, decision.root_id) == (root.context.trace_id, root.context.span_id)


def test_a_large_segment_waits_in_memory_while_there_is_room_and_nobody_knows_whether_it_is_kept(shelf: Shelf) -> None:
    recorder = Recorder(ERRORS, shelf)
    for status in (StatusCode.UNSET, StatusCode.ERROR):
        root = start(recorder)
        exchange(recorder, root, 11 * KIB)
        assert shelf.batches == []
        root.set_status(status)
        end(recorder, root)
    (kept,) = shelf.segments
    assert (kept.complete, kept.is_held, len(kept.exchanges)) == (True, False, 1)
    assert shelf.batches == [kept]


def test_a_large_segment_of_a_forked_child_that_waits_in_memory_is_spooled_all_the_same(shelf: Shelf) -> None:
    recorder = Recorder(ERRORS, shelf)
    recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    for _ in range(3):
        exchange(recorder, root, 6 * KIB)
    end(recorder, root)
    assert kinds(shelf) == ["SpoolBatch"] * 3 + ["KeepDecision"]


def test_an_error_in_a_part_that_was_held_decides_at_once(shelf: Shelf) -> None:
    recorder = Recorder(TIGHT, shelf)
    root = start(recorder)
    failed = start(recorder, root)
    failed.set_status(StatusCode.ERROR)
    end(recorder, failed)
    exchange(recorder, root, 11 * KIB)
    end(recorder, root)
    assert kinds(shelf) == ["SegmentBatch", "SegmentBatch"]


def test_a_root_that_ends_before_its_children_stays_for_the_part_that_is_complete(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder)
    child = start(recorder, root)
    end(recorder, root)
    exchange(recorder, child, 11 * KIB)
    end(recorder, child)
    early, last = shelf.segments
    assert (early.complete, early.spans) == (False, [])
    assert (last.complete, last.spans) == (True, [root, child])


def test_a_segment_that_the_end_of_the_process_cuts_off_is_kept(shelf: Shelf) -> None:
    recorder = Recorder(ERRORS, shelf)
    root = start(recorder)
    exchange(recorder, root, 1)
    assert recorder.flush(1)
    assert shelf.batches == []  # a flush is no end
    assert recorder.flush(1, is_last=True)
    (batch,) = shelf.segments
    assert (batch.complete, batch.is_held) == (False, False)


def test_a_slow_root_is_kept(shelf: Shelf) -> None:
    recorder = Recorder(Settings(keep=Keep(everything=False, slow_ns=1)), shelf)
    end(recorder, start(recorder))
    assert len(shelf.segments) == 1


def test_a_forked_child_spools_what_it_closes_until_its_part_is_due(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    first, second = exchange(recorder, root, 1), exchange(recorder, root, 1)
    end(recorder, root)
    assert kinds(shelf) == ["SpoolBatch", "SpoolBatch", "SegmentBatch"]
    assert [batch.captured for batch in only(shelf, SpoolBatch)] == [first, second]
    assert only(shelf, SegmentBatch)[0].exchanges == [first, second]


@pytest.mark.parametrize("is_forked", [True, False], ids=["child", "parent"])
def test_an_answer_that_grows_is_handed_over_as_often_as_it_doubles(shelf: Shelf, is_forked: bool) -> None:
    recorder = Recorder(Settings(), shelf)
    if is_forked:
        recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    captured = exchange(recorder, root, KIB)
    for size in range(2, 1025):
        recorder.grown(captured, size * KIB)
    assert len(only(shelf, SpoolBatch)) == 4 * is_forked  # then its parts are due
    assert [batch.size // KIB for batch in shelf.segments] == [16, 32, 64, 128, 256, 512, 1024]
    recorder.close(captured, "all of it", 1025 * KIB)
    end(recorder, root)
    assert [each.result for batch in shelf.segments[-2:] for each in batch.exchanges] == ["all of it"]


def test_each_line_of_a_spool_says_no_more_than_its_own_connection(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    for number in range(100):
        recorder.connected(number, "fake", "fake://", {})
        with use_span(root):
            captured = recorder.open("fake", "request", connection=number)
        assert captured is not None
        recorder.close(captured, "answer", 1)
    assert sum(len(batch.connections) for batch in only(shelf, SpoolBatch)) == 100
    end(recorder, root)
    assert len(shelf.segments[0].connections) == 100


def test_the_part_of_a_late_answer_names_its_connection_and_not_all_that_there_were(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder)
    for number in range(50):
        recorder.connected(number, "fake", "fake://", {})
    with use_span(root):
        several = [recorder.open("fake", "request", connection=number) for number in range(50)]
        end(recorder, root)
        several.append(recorder.open("fake", "late", connection=7))
    for captured in several:
        assert captured is not None
        recorder.close(captured, "answer", 1)
    first, *others = shelf.segments
    assert len(first.connections) == 50
    named = [[each.number for each in one.connections] for one in others]
    assert named == [[0, 7], *([number] for number in range(1, 50)), [7]]


def test_an_answer_that_grows_for_a_segment_that_is_not_kept_takes_no_room(shelf: Shelf) -> None:
    recorder = Recorder(Settings(in_flight_max_bytes=10, keep=Keep(everything=False, errors=True)), shelf)
    root = start(recorder)
    forgotten = exchange(recorder, root, 4)
    end(recorder, root)
    recorder.grown(forgotten, 7)
    assert exchange(recorder, start(recorder), 10).dropped is None


def test_an_answer_that_grows_beyond_what_memory_may_hold_is_let_go(shelf: Shelf) -> None:
    recorder = Recorder(Settings(in_flight_max_bytes=10), shelf)
    captured = exchange(recorder, start(recorder), 8)
    recorder.grown(captured, 10)
    assert (captured.dropped, captured.result) == (None, "answer")
    recorder.grown(captured, 11)
    assert (captured.dropped, captured.result) == ("in_flight", None)


def test_with_the_first_exchange_goes_the_open_entry_and_its_end_is_worth_no_spool(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    with use_span(root):
        entry = recorder.open("fake", "the task", is_entry=True)
    assert entry is not None
    first, second = exchange(recorder, root, 1), exchange(recorder, root, 1)
    recorder.close(entry, "its end", 1)
    end(recorder, root)
    assert [batch.captured for batch in only(shelf, SpoolBatch)] == [entry, first, second]
    assert only(shelf, SegmentBatch)[0].exchanges == [entry, first, second]


def test_a_task_that_asks_nothing_spools_nothing(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    recorder.after_fork()
    root = start(recorder, kind=SpanKind.CONSUMER)
    with use_span(root):
        entry = recorder.open("fake", "the task", is_entry=True)
    assert entry is not None
    recorder.close(entry, "its end", 1)
    end(recorder, root)
    assert kinds(shelf) == ["SegmentBatch"]


def test_the_spool_of_a_segment_that_is_not_kept_gets_its_verdict(shelf: Shelf) -> None:
    recorder = Recorder(ERRORS, shelf)
    recorder.after_fork()
    root = start(recorder)
    exchange(recorder, root, 1)
    end(recorder, root)
    assert kinds(shelf) == ["SpoolBatch", "KeepDecision"]


@pytest.mark.parametrize(("is_forked", "kind"), [(False, SpanKind.CONSUMER), (True, SpanKind.SERVER)])
def test_nobody_else_spools(shelf: Shelf, is_forked: bool, kind: SpanKind) -> None:
    recorder = Recorder(Settings(), shelf)
    if is_forked:
        recorder.after_fork()
    root = start(recorder, kind=kind)
    exchange(recorder, root, 1)
    end(recorder, root)
    assert kinds(shelf) == ["SegmentBatch"]


def test_an_exchange_without_a_span_of_its_own_in_a_child_belongs_to_the_segment_of_the_fork(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder, kind=SpanKind.SERVER)
    recorder.after_fork()
    query = start(recorder, root, kind=SpanKind.CLIENT)
    end(recorder, query)
    commit = exchange(recorder, root, 1)
    first, late = shelf.segments
    assert first.parent_segment == late.parent_segment == root.context.span_id
    assert (late.root_id, late.exchanges) == (query.context.span_id, [commit])


def test_what_comes_before_the_first_span_of_a_child_belongs_to_its_segment_too(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder, kind=SpanKind.SERVER)
    recorder.after_fork()
    begin = exchange(recorder, root, 1)
    query = start(recorder, root, kind=SpanKind.CLIENT)
    end(recorder, query)
    (segment,) = shelf.segments
    assert segment.exchanges == [begin]
    assert begin.span_id == root.context.span_id


def test_what_the_tap_dropped_keeps_its_result_and_its_size(shelf: Shelf) -> None:
    recorder = Recorder(Settings(), shelf)
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "request")
    assert captured is not None
    recorder.close(captured, "status and headers", 200 * MIB, dropped="limit")
    assert (captured.dropped, captured.size, captured.held, captured.result) == (
        "limit",
        200 * MIB,
        0,
        "status and headers",
    )
    end(recorder, root)
    assert shelf.segments[0].dropped == {"limit": 1}
