"""Which segments are kept."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import StatusCode

from timetracer_otel.capture.keep import is_kept
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
    assert is_kept(ERRORS, [ended(), span]) is kept


def test_everything_is_kept_by_default() -> None:
    assert is_kept(Keep(), [])
