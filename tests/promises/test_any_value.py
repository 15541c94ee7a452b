"""Values that no JSON carries cost nobody his cassette, and come back exactly."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.promises import odd_app
from tests.promises.conftest import database
from tests.promises.running import recording, replay, send, service
from timetracer_otel.cassette import Cassette, Segment, Span
from timetracer_otel.store import Store

pytestmark = pytest.mark.postgres

GOOD = 50


def test_fifty_good_requests_beside_one_with_odd_values_are_fifty_one_cassettes(tmp_path: Path) -> None:
    store = tmp_path / "cassettes"
    variables = recording(store, APP="tests.promises.odd_app:app")
    paths = [f"/good/{number}" for number in range(GOOD)]
    with (
        database() as dsn,
        service(tmp_path / "log", **{**variables, "DATABASE_URL": dsn}) as url,
        ThreadPoolExecutor(8) as clients,
    ):
        answers = list(clients.map(lambda path: send(url, path), [*paths[:25], "/odd", *paths[25:]]))
    assert {answer.status for answer in answers} == {200}
    segments = {_path(segment): (cassette, segment) for cassette, segment in _segments(store)}
    assert len(segments) == GOOD + 1
    cassette, odd = segments["/odd"]
    assert odd.complete
    _check_span(odd)
    _check_query(odd)
    _check_answer(odd, answers[25].body)
    replayed = replay(cassette.path, tmp_path)
    assert (replayed.status, replayed.verdict) == (0, "same"), replayed.output


def _segments(store: Path) -> list[tuple[Cassette, Segment]]:
    listing = Store(store).list_traces()
    assert listing.problems == ()
    opened = [Store(store).open_cassette(trace.trace_id)[0] for trace in listing.traces]
    return [(cassette, segment) for cassette in opened for segment in cassette.segments]


def _path(segment: Segment) -> str:
    return str(_exchange(segment, "http.server").request["path"])


def _exchange(segment: Segment, kind: str) -> Any:
    found = [one for one in segment.exchanges if one.type == kind]
    return found[-1]


def _check_span(segment: Segment) -> None:
    (span,) = [one for one in segment.spans if "odd.huge" in one.attributes]
    attributes = span.attributes
    assert attributes["odd.surrogate"] == odd_app.SURROGATE
    assert attributes["odd.huge"] == odd_app.HUGE
    assert attributes["odd.bytes"] == odd_app.BYTES
    assert isinstance(attributes["odd.nan"], float)
    assert math.isnan(attributes["odd.nan"])
    assert _stack(span).count("in fall_further\n") == odd_app.LEVELS


def _stack(span: Span) -> str:
    (event,) = [one for one in span.events if one.name == "exception"]
    assert event.attributes["exception.message"] == f"no further than {odd_app.SURROGATE}"
    return str(event.attributes["exception.stacktrace"])


def _check_query(segment: Segment) -> None:
    query = _exchange(segment, "db.query")
    data, nan, huge, deep, text = query.request["parameters"]
    assert odd_app.BYTES in (data, bytes.fromhex(data[2:]) if isinstance(data, str) else b"")
    assert nan in ("NaN", b"NaN") or len(nan) == 8
    (result,) = query.result["results"]
    assert len(result["values"]) == 5
    assert len(str(result["values"][2][0])) >= 5_000
    assert text == "\N{PILE OF POO}"
    assert str(deep).count("below") == odd_app.LEVELS
    assert huge is not None


def _check_answer(segment: Segment, body: bytes) -> None:
    answer = _exchange(segment, "http.server").result
    assert b"".join(chunk for _, chunk in answer["body"]) == body
    assert body.endswith(odd_app.BYTES + b"\xed\xa0\xbe")
    assert [b"x-odd", b"\xff"] in [list(pair) for pair in answer["headers"]]
