"""The recorder by itself: whose segment a span and an exchange belong to. How parts look is tested in exporters/."""

from __future__ import annotations

import gc
import threading
import uuid
from collections.abc import Iterator

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
    use_span,
)

from timetracer_otel.capture import environment, guard, limits, lineage, process, segments
from timetracer_otel.capture.limits import CLOSED_MAX, GENERATED_MAX, LATE_IDS_MAX
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import Batch, EnvironmentBatch, SegmentBatch
from timetracer_otel.capture.table import Captured, hushed
from timetracer_otel.config import Keep, Settings


class Shelf:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)

    def spill(self, captured: object, released: object) -> None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True

    @property
    def segments(self) -> list[SegmentBatch]:
        return [batch for batch in self.batches if isinstance(batch, SegmentBatch)]

    @property
    def environments(self) -> list[EnvironmentBatch]:
        return [batch for batch in self.batches if isinstance(batch, EnvironmentBatch)]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def recorder(shelf: Shelf) -> Recorder:
    return Recorder(Settings(), shelf)


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    guard.failures.clear()
    yield
    guard.failures.clear()


TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("tests")


def start(recorder: Recorder, parent: Span | None = None, kind: SpanKind = SpanKind.INTERNAL) -> Span:
    span = TRACER.start_span("span", context=set_span_in_context(parent) if parent else Context(), kind=kind)
    assert isinstance(span, Span)
    context = span.get_span_context()
    recorder.span_started(context.trace_id, context.span_id, span.parent, kind, span.start_time or 0)
    return span


def end(recorder: Recorder, span: Span) -> None:
    span.end()
    recorder.span_ended(span)


def test_a_segment_is_handed_over_when_its_root_has_ended_and_nothing_is_open(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    child = start(recorder, root)
    end(recorder, root)
    assert shelf.batches == []
    end(recorder, child)
    (batch,) = shelf.segments
    assert batch.complete
    assert batch.spans == [root, child]
    assert batch.root_start_ns == root.start_time


def test_who_counts_in_a_segment_is_told_which_it_is(recorder: Recorder) -> None:
    """Two of one trace, as the attempts of a task are, count by themselves."""
    assert recorder.segment() == 0
    one = start(recorder)
    other = start(recorder, kind=SpanKind.SERVER)
    child = start(recorder, one)
    for span, root in ((one, one), (other, other), (child, one)):
        with use_span(span):
            assert recorder.segment() == root.get_span_context().span_id


def test_what_a_library_asks_for_itself_is_in_no_segment(recorder: Recorder) -> None:
    with use_span(start(recorder)):
        token = hushed.set(True)
        try:
            assert recorder.open("botocore", "SendMessage") is None
        finally:
            hushed.reset(token)
        assert recorder.open("botocore", "PutObject") is not None


@pytest.mark.parametrize("kind", [SpanKind.CLIENT, SpanKind.PRODUCER])
def test_a_root_that_calls_others_is_no_entry(recorder: Recorder, shelf: Shelf, kind: SpanKind) -> None:
    end(recorder, start(recorder, kind=kind))
    assert shelf.batches == []


def test_a_span_in_another_thread_finds_its_segment(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    thread = threading.Thread(target=lambda: end(recorder, start(recorder, root)))
    thread.start()
    thread.join()
    end(recorder, root)
    assert len(shelf.segments[0].spans) == 2


def test_exchanges_of_work_after_the_response_belong_to_the_segment(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder, kind=SpanKind.SERVER)
    end(recorder, root)
    with use_span(root):
        captured = recorder.open("fake", "late")
    assert captured is not None
    recorder.close(captured, "answer", 1)
    first, late = shelf.segments
    assert (first.root_id, first.part) == (late.root_id, 0)
    assert late.part == 1
    assert late.exchanges == [captured]


def test_spans_of_an_unsampled_trace_have_no_exchanges(recorder: Recorder) -> None:
    end(recorder, start(recorder))
    tracer = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("tests")
    with tracer.start_as_current_span("root"):
        assert recorder.open("fake", "query") is None
    assert recorder.open("fake", "query") is None
    assert recorder.dropped == {"no_span": 1}  # outside of any span: nobody chose that


def test_an_upstream_that_does_not_sample_is_respected(recorder: Recorder) -> None:
    end(recorder, start(recorder))
    upstream = NonRecordingSpan(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0)))
    with use_span(upstream), TRACER.start_as_current_span("root") as span:
        assert not span.is_recording()
        assert recorder.open("fake", "query") is None


def test_only_errors_are_kept_when_only_errors_are_asked_for(shelf: Shelf) -> None:
    recorder = Recorder(Settings(keep=Keep(everything=False, errors=True)), shelf)
    end(recorder, start(recorder))
    failed = start(recorder)
    failed.set_attribute("http.response.status_code", 503)
    end(recorder, failed)
    assert [batch.spans for batch in shelf.segments] == [[failed]]


def test_what_is_not_kept_gives_its_bytes_back(shelf: Shelf) -> None:
    recorder = Recorder(Settings(keep=Keep(everything=False, errors=True)), shelf)
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "query")
    assert captured is not None
    recorder.close(captured, "answer", 1000)
    assert recorder._budget.in_flight == 1000
    end(recorder, root)
    assert recorder._budget.in_flight == 0


def test_a_lost_batch_gives_its_bytes_back_too(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "query")
    assert captured is not None
    recorder.close(captured, "answer", 1000)
    end(recorder, root)
    (batch,) = shelf.segments
    assert batch.size == 1000
    recorder.lost(batch, "part")
    assert recorder._budget.in_flight == 0
    assert recorder.untold() == {"part": 1}


def test_late_answers_are_counted_once(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "query")
    end(recorder, root)
    assert captured is not None
    recorder.close(captured, "answer", 1000)
    recorder.close(captured, "answer and more", 1500)
    assert [batch.size for batch in shelf.segments] == [0, 1000, 1500]
    for batch in shelf.segments:
        recorder.written(batch)
    assert recorder._budget.in_flight == 0


def test_a_forked_child_goes_on_with_a_segment_of_its_own(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    with use_span(root):
        recorder.open("fake", "the parent's")
    recorder.after_fork()
    child = start(recorder, root, SpanKind.CLIENT)
    end(recorder, child)
    (batch,) = shelf.segments
    assert batch.parent_segment == root.get_span_context().span_id
    assert (batch.spans, batch.exchanges) == ([child], [])


def test_memory_for_ended_spans_is_bounded(recorder: Recorder) -> None:
    root = start(recorder)
    for _ in range(CLOSED_MAX + 10):
        end(recorder, start(recorder, root))
    assert len(recorder._lineage.owners) == CLOSED_MAX + 1


@pytest.mark.parametrize("kind", [SpanKind.CLIENT, SpanKind.CONSUMER])
def test_a_segment_that_is_only_remembered_holds_no_container_until_something_comes(
    recorder: Recorder, shelf: Shelf, kind: SpanKind
) -> None:
    root = start(recorder, kind=kind)
    end(recorder, root)
    remembered = recorder._lineage.owner(root.get_span_context().span_id)
    assert [each for each in gc.get_referents(remembered) if gc.is_tracked(each) and type(each) is not type] == []
    with use_span(root):
        recorder.generated("site", uuid.UUID(int=1))
    late = start(recorder, root)
    captured = use(recorder, late)
    end(recorder, late)
    is_entry = kind is SpanKind.CONSUMER
    assert [(batch.spans, batch.exchanges, len(batch.generated)) for batch in shelf.segments[1:]] == (
        [([late], [captured], 1)] if is_entry else []
    )
    with pytest.raises(AttributeError):
        remembered.no_such_name  # type: ignore[union-attr]


def test_roots_that_are_no_entries_are_numbers_until_something_comes_up_under_them(recorder: Recorder) -> None:
    roots = [start(recorder, kind=SpanKind.CLIENT) for _ in range(3)]
    ids = [root.get_span_context().span_id for root in roots]
    known = recorder._lineage
    assert (recorder.has_open, recorder.is_open(ids[0]), [*known.outside], len(known.owners)) == (True, True, ids, 0)
    with use_span(roots[0]):
        assert (recorder.listens(), recorder.segment()) == (True, ids[0])
        assert [*known.outside] == ids
    child = start(recorder, roots[0])
    end(recorder, roots[1])
    late = start(recorder, roots[1])
    assert ([*known.outside], known.open_outside) == ([ids[2]], {ids[2]})
    for span in (child, roots[0], late, roots[2]):
        assert recorder.is_open(span.get_span_context().span_id)
        end(recorder, span)
    assert not recorder.has_open


@pytest.mark.parametrize("is_ended", [True, False])
def test_a_request_in_the_context_of_a_call_is_an_entry_once_the_call_has_ended(
    recorder: Recorder, shelf: Shelf, is_ended: bool
) -> None:
    root = start(recorder, kind=SpanKind.CLIENT)
    if is_ended:
        end(recorder, root)
    end(recorder, start(recorder, root, SpanKind.SERVER))
    end(recorder, start(recorder, root))
    assert len(shelf.segments) == is_ended


def test_memory_for_roots_that_are_no_entries_is_bounded(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(CLOSED_MAX + 10):
        end(recorder, start(recorder, kind=SpanKind.CLIENT))
    assert len(recorder._lineage.outside) == CLOSED_MAX
    monkeypatch.setattr(lineage, "OPEN_MAX", 5)
    for _ in range(7):
        start(recorder, kind=SpanKind.CLIENT)
    assert (len(recorder._lineage.open_outside), len(recorder._lineage.outside)) == (5, CLOSED_MAX + 5)
    assert recorder.dropped == {"open": 2}


def test_what_a_call_does_in_the_child_of_a_fork_belongs_to_that_call(recorder: Recorder) -> None:
    root = start(recorder, kind=SpanKind.CLIENT)
    recorder.after_fork()
    assert recorder._lineage.is_inherited(root.get_span_context().span_id)
    assert recorder._lineage.outside == {}


def use(recorder: Recorder, span: Span) -> Captured:
    """One exchange under the span."""
    with use_span(span):
        captured = recorder.open("fake", "request", connection=1)
    assert captured is not None
    recorder.close(captured, "answer", 1)
    return captured


def test_ids_of_one_segment_are_bounded_and_counted_by_call_site(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)
    with use_span(root):
        for number in range(GENERATED_MAX + 5):
            recorder.generated("odd" if number % 2 else "even", uuid.UUID(int=number))
    end(recorder, root)
    (batch,) = shelf.segments
    assert len(batch.generated) == GENERATED_MAX
    assert [made[:2] for made in batch.generated[:4]] == [("even", 0), ("odd", 0), ("even", 1), ("odd", 1)]
    assert batch.dropped == {"generated": 5}


def test_ids_from_before_a_part_and_after_the_root_come_with_the_work_that_outlives_it(
    recorder: Recorder, shelf: Shelf
) -> None:
    root = start(recorder)
    with use_span(root):
        for number in range(LATE_IDS_MAX + 5):
            recorder.generated("early", uuid.UUID(int=number))
    end(recorder, root)
    with use_span(root):
        recorder.generated("late", uuid.UUID(int=99))
    late = start(recorder, root)
    end(recorder, late)
    _, batch = shelf.segments
    made = [("early", number) for number in range(5, LATE_IDS_MAX + 5)]
    assert [each[:2] for each in batch.generated] == [*made, ("late", 0)]


def test_the_environment_ends_with_the_first_entry_sampled_or_not(recorder: Recorder, shelf: Shelf) -> None:
    early = recorder.open("fake", "start-up")
    assert early is not None
    recorder.entry_began()
    assert shelf.environments[0].exchanges == [early]
    assert recorder.open("fake", "after") is None
    recorder.close(early, "answer", 1)
    assert [(batch.part, batch.exchanges[0].rev) for batch in shelf.environments] == [(0, 1), (1, 1)]


def test_a_script_without_entry_leaves_its_environment_at_the_end(recorder: Recorder, shelf: Shelf) -> None:
    recorder.open("fake", "query")
    recorder.flush(1)
    assert len(shelf.environments) == 1
    recorder.flush(1)
    assert len(shelf.environments) == 1


def test_the_environment_has_a_limit_of_its_own(shelf: Shelf) -> None:
    recorder = Recorder(Settings(environment_max_bytes=100), shelf)
    for _ in range(3):
        captured = recorder.open("fake", "query")
        assert captured is not None
        recorder.close(captured, "answer", 60)
    recorder.entry_began()
    assert [captured.dropped for captured in shelf.environments[0].exchanges] == [None, "environment", "environment"]


def test_many_threads_lose_no_span_and_no_exchange(recorder: Recorder, shelf: Shelf) -> None:
    root = start(recorder)

    def work() -> None:
        for _ in range(200):
            span = start(recorder, root)
            with use_span(span):
                captured = recorder.open("fake", "query")
            assert captured is not None
            recorder.close(captured, "answer", 1)
            end(recorder, span)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end(recorder, root)
    (batch,) = shelf.segments
    assert len(batch.spans) == 1601
    assert len({captured.number for captured in batch.exchanges}) == 1600
    assert batch.size == 1600


def test_a_process_has_an_id_of_its_own_after_a_fork() -> None:
    before = process.identity()
    process.after_fork()
    after = process.identity()
    assert after.id != before.id
    assert after.parent == before.id
    assert len(after.id) == 32


# ---- what never ends -------------------------------------------------------------------------------------------------


def test_r29_spans_that_never_end_are_written_and_let_go(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OPEN_MAX", 10)
    first = start(recorder)
    with use_span(first):
        captured = recorder.open("psycopg", b"SELECT 1")
    assert captured is not None
    for _ in range(20):
        start(recorder)
    (part,) = shelf.segments
    assert (part.root_id, part.complete, part.exchanges) == (first.get_span_context().span_id, False, [captured])
    assert len(recorder._lineage.open) == 10
    assert recorder.dropped["open"] + sum(batch.dropped.get("open", 0) for batch in shelf.batches) == 11


def test_keep_errors_holds_a_bounded_part_of_a_trace_that_is_not_decided(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "HELD_MAX", 10)
    recorder = Recorder(Settings(keep=Keep(everything=False, errors=True)), shelf)
    root = start(recorder)
    with use_span(root, end_on_exit=False):
        opened = [recorder.open("psycopg", b"SELECT 1") for _ in range(15)]
    assert opened[10:] == [None] * 5
    for _ in range(20):
        end(recorder, start(recorder, root))
    root.set_status(StatusCode.ERROR)
    end(recorder, root)
    (part,) = shelf.segments
    assert part.spans[-1] is root
    assert len(part.spans) == 11
    assert (part.dropped["spans"], part.dropped["exchanges"]) == (10, 5)


def test_a_child_goes_the_short_way_into_a_segment_that_goes_on_and_no_other(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_short(parent: Span, trace_id: int | None = None) -> bool:
        context = parent.get_span_context()
        child = SpanContext(trace_id or context.trace_id, next(ids), is_remote=False)
        return recorder.child_started(child, context)

    ids = iter(range(100, 200))
    root = start(recorder)
    assert is_short(root)
    assert recorder.is_open(100)
    assert not is_short(root, trace_id=7)  # of another trace: a parent by chance
    monkeypatch.setattr(limits, "OPEN_MAX", 2)
    assert not is_short(root)  # somebody else must go for it
    monkeypatch.undo()
    end(recorder, root)
    assert not is_short(root)  # it may be the next request on the connection
    assert [recorder.is_open(number) for number in range(100, 104)] == [True, False, False, False]
    assert shelf.batches == []  # the child is open still


def test_a_tap_is_told_beforehand_where_nothing_is_recorded(recorder: Recorder) -> None:
    assert recorder.listens()  # the environment
    root = start(recorder)
    assert recorder.listens()  # outside of any span: `open` counts it
    unsampled = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0)))
    with use_span(unsampled):
        assert not recorder.listens()
    with use_span(root):
        assert recorder.listens()
    end(recorder, root)
    with use_span(root):
        assert recorder.listens()  # late work


def test_a_process_that_never_has_an_entry_holds_so_many_exchanges_and_no_more(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "HELD_MAX", 3)
    for number in range(5):
        captured = recorder.open("fake", number)
        if captured is not None:
            recorder.close(captured, "answer", 1)
    recorder.flush(1)
    (batch,) = shelf.environments
    assert [captured.request for captured in batch.exchanges] == [0, 1, 2]
    assert batch.dropped == {"exchanges": 2}


def test_a_poller_whose_roots_are_no_entries_holds_so_many_exchanges_and_no_more(
    recorder: Recorder, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "HELD_MAX", 3)
    for number in range(5):
        call_of_a_root(recorder, number, 1)
    assert recorder._budget.in_flight == 3
    recorder.flush(1)
    (batch,) = shelf.environments
    assert [captured.request for captured in batch.exchanges] == [0, 1, 2]
    assert batch.dropped == {"exchanges": 2}


def test_what_a_poller_leaves_to_the_environment_counts_against_its_limit(shelf: Shelf) -> None:
    recorder = Recorder(Settings(environment_max_bytes=100), shelf)
    for number in range(3):
        call_of_a_root(recorder, number, 60)
    assert recorder._budget.in_flight == 60
    recorder.flush(1)
    (batch,) = shelf.environments
    assert [captured.dropped for captured in batch.exchanges] == [None, "environment", "environment"]
    assert [captured.result for captured in batch.exchanges] == ["answer", None, None]
    assert batch.dropped == {"environment": 2}


@pytest.mark.parametrize("is_sampled", [True, False])
def test_a_poll_under_way_when_the_first_entry_begins_is_of_the_environment(
    recorder: Recorder, shelf: Shelf, is_sampled: bool
) -> None:
    poll = start(recorder, kind=SpanKind.CLIENT)
    with use_span(poll):
        under_way = recorder.open("fake", "receive")
    assert under_way is not None
    if is_sampled:
        start(recorder)
    else:
        recorder.entry_began()
    assert [(batch.part, batch.exchanges) for batch in shelf.environments] == [(0, [under_way])]
    with use_span(poll):
        assert recorder.open("fake", "what it led to") is not None
    recorder.close(under_way, "answer", 1)
    end(recorder, poll)
    assert [(batch.part, batch.exchanges) for batch in shelf.environments] == [(0, [under_way]), (1, [under_way])]
    assert recorder.dropped["not_entry"] == 1


def call_of_a_root(recorder: Recorder, request: object, size: int) -> None:
    root = start(recorder, kind=SpanKind.CLIENT)
    with use_span(root):
        captured = recorder.open("fake", request)
    assert captured is not None
    recorder.close(captured, "answer", size)
    end(recorder, root)


def test_what_is_discarded_after_its_end_gives_its_bytes_back(recorder: Recorder) -> None:
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "request")
    assert captured is not None
    recorder.close(captured, "answer", 1_000)
    recorder.discard(captured)
    assert recorder._budget.in_flight == 0


def test_an_answer_that_ends_after_its_segment_was_dropped_counts_for_nothing(shelf: Shelf) -> None:
    recorder = Recorder(Settings(keep=Keep(everything=False, errors=True)), shelf)
    root = start(recorder)
    with use_span(root):
        captured = recorder.open("fake", "request")
    assert captured is not None
    end(recorder, root)
    for _ in range(2):
        recorder.close(captured, "answer", 1_000)
    with use_span(root):
        assert recorder.open("fake", "late") is None
    assert recorder._budget.in_flight == 0
    assert shelf.batches == []
