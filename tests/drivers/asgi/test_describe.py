from __future__ import annotations

from dataclasses import replace

import pytest

from tests.comparison.recordings import http
from timetracer_otel.cassette import Value
from timetracer_otel.drivers.asgi.describe import DESCRIBING


def answered_ns(**result: Value) -> int | None:
    exchange = http()
    described = DESCRIBING.describe(replace(exchange, result={**exchange.result, **result}))
    assert described is not None
    return described.answered_ns


def test_an_answer_has_left_with_its_last_chunk() -> None:
    assert answered_ns() == 20_000_000
    assert answered_ns(body=[[1, b"a"], [7, b""]]) == 7


@pytest.mark.parametrize("body", [[], None, [7], [["x", b""]], [[]]])
def test_an_answer_without_chunks_or_of_another_shape_has_no_such_time(body: Value) -> None:
    assert answered_ns(body=body) is None
    assert answered_ns(ended=False) is None
