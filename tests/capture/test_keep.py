"""Which segments are kept."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import StatusCode

from timetracer_otel.capture.keep import is_kept, is_kept_at_once
from timetracer_otel.config import Keep

ERRORS = Keep(everything=False, errors=True)


def ended(status: StatusCode = StatusCode.UNSET, **attributes: int | str) -> ReadableSpan:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("span")
    span.set_attributes({name.replace("__", "."): value for name, value in attributes.items()})
    span.set_status(status)
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        (ended(), False),
        (ended(StatusCode.ERROR), True),
        (ended(StatusCode.OK, http__status_code=500), True),
        (ended(http__response__status_code=503), True),
        (ended(http__response__status_code=404), False),
        (ended(http__status_code="500"), False),
    ],
)
def test_an_error_is_a_status_or_an_answer_of_5xx(span: ReadableSpan, kept: bool) -> None:
    assert is_kept(ERRORS, 0, [ended(), span]) is kept


def test_a_task_that_asks_for_a_retry_is_an_error() -> None:
    assert is_kept(ERRORS, 0, [ended(celery__retry__reason="TimeoutError()")])


def test_a_slow_root_is_kept_and_a_slow_child_is_not() -> None:
    slow = Keep(everything=False, slow_ns=500_000_000)
    quick, late = _lasting(499_999_999), _lasting(500_000_000)
    assert is_kept(slow, _id(late), [quick, late])
    assert not is_kept(slow, _id(quick), [quick, late])
    assert not is_kept(ERRORS, _id(late), [late])


def test_everything_is_kept_by_default() -> None:
    assert is_kept_at_once(Keep(), 1)
    assert not is_kept_at_once(ERRORS, 1)


def test_one_in_so_many_is_chosen_by_the_random_bits_of_the_trace_id() -> None:
    hundredth = Keep(everything=False, one_in=100)
    generator = RandomIdGenerator()
    chosen = [is_kept_at_once(hundredth, generator.generate_trace_id()) for _ in range(20_000)]
    assert 100 < sum(chosen) < 320  # 200, and six standard deviations
    time_based = 0x65A1B2C3 << 96  # such as AWS X-Ray's: equal for all traces of a second
    assert is_kept_at_once(hundredth, time_based | 300)
    assert not is_kept_at_once(hundredth, time_based | 301)


def _lasting(duration_ns: int) -> ReadableSpan:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("span", start_time=1_000)
    span.end(1_000 + duration_ns)
    assert isinstance(span, ReadableSpan)
    return span


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id
