"""A large answer that comes piece by piece: how much of the work grows with what has come before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from timetracer_otel.capture import table
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.capture.segments import Batch, SegmentBatch, SpoolBatch
from timetracer_otel.config import KIB, MIB, Settings
from timetracer_otel.drivers.http import calls
from timetracer_otel.drivers.http.calls import Call, Origin
from timetracer_otel.exporters.processor import SegmentProcessor


class Scales:
    """A sink that weighs what it would have to write."""

    def __init__(self) -> None:
        self.recorder: Recorder
        self.bytes = 0
        self.last: list[Call] = []

    def prepare(self) -> None:
        """There is nothing to make."""

    def put(self, batch: Batch) -> None:
        assert isinstance(batch, (SegmentBatch, SpoolBatch))
        several = batch.exchanges if isinstance(batch, SegmentBatch) else [batch.captured]
        found = [each.request for each in several if isinstance(each.request, Call)]
        self.bytes += sum(len(part) for call in found for part in call.parts)
        self.last = found or self.last
        self.recorder.written(batch)

    def spill(self, captured: object, released: object) -> None:
        return None

    def flush(self, timeout_s: float) -> bool:
        return True


@pytest.fixture
def scales() -> Iterator[Scales]:
    sink = Scales()
    sink.recorder = Recorder(Settings(), sink)
    yield sink
    table.activate(None)


@pytest.mark.parametrize("is_forked", [True, False], ids=["child", "parent"])
@pytest.mark.parametrize("is_late", [True, False], ids=["after its root", "within its root"])
def test_a_large_answer_is_handed_over_whole_and_not_again_with_each_piece(
    scales: Scales, is_forked: bool, is_late: bool
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SegmentProcessor(scales.recorder))
    if is_forked:
        scales.recorder.after_fork()
    table.activate(scales.recorder)
    root, piece, count = provider.get_tracer("tests").start_span("root", kind=SpanKind.CONSUMER), b"x" * 64 * KIB, 640
    with trace.use_span(root):
        call = calls.begin("http.client", Origin("http", "api", 80))
    assert call is not None
    call.close()
    if is_late:
        root.end()
    for _ in range(count):
        call.take(piece)
    call.end()
    if not is_late:
        root.end()
    assert call.captured is not None
    assert (call.captured.dropped, scales.last) == (None, [call])
    assert 40 * MIB <= scales.bytes < 3 * 40 * MIB


def test_an_answer_beyond_the_limit_is_counted_once_and_not_with_each_piece(
    scales: Scales, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "payload_max_bytes", MIB)
    table.activate(scales.recorder)
    call = calls.begin("http.client", Origin("http", "api", 80))
    assert call is not None
    call.close()
    for _ in range(100):
        call.take(b"x" * 64 * KIB)
    call.end()
    assert (call.parts, call.size, scales.recorder.dropped["limit"]) == ([], 6400 * KIB, 1)
