"""Spans that wait for their parents."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import set_span_in_context

from timetracer_otel.capture import orphans
from timetracer_otel.capture.orphans import Orphans

TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("tests")


def chain(length: int) -> list[Span]:
    """Each the child of the one before."""
    spans: list[Span] = []
    for _ in range(length):
        span = TRACER.start_span("span", context=set_span_in_context(spans[-1]) if spans else None)
        assert isinstance(span, Span)
        spans.append(span)
    return spans


def waiting(spans: list[Span]) -> Orphans:
    held = Orphans()
    for span in reversed(spans):
        assert span.parent is not None
        held.add(span.parent.span_id, [span])
    return held


def test_descendants_come_parents_first_however_deep_they_are() -> None:
    root, *rest = chain(5000)
    held = waiting(rest)
    assert list(held.descendants(root.get_span_context().span_id)) == [[span] for span in rest]
    assert list(held.families()) == []


def test_families_are_named_by_the_span_that_is_missing() -> None:
    first, second = chain(3), chain(3)
    held = waiting([*first[1:], *second[1:]])
    assert dict(held.families()) == {
        first[0].get_span_context().span_id: first[1:],
        second[0].get_span_context().span_id: second[1:],
    }
    assert list(held.families()) == []


def test_the_longest_waiting_goes_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "ORPHANS_MAX", 2)
    root = chain(1)[0].get_span_context().span_id
    spans = chain(4)
    held = Orphans()
    assert [held.add(root, [span]) for span in spans] == [0, 0, 1, 1]
    assert list(held.descendants(root)) == [spans[2:]]
