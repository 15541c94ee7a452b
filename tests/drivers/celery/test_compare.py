"""What a task gave, against what it gives in replay: nothing that differs passes for the same."""

from __future__ import annotations

import pytest

from timetracer_otel.cassette.model import Exchange, Payload, Signature, Value
from timetracer_otel.drivers.base import ABSENT, Difference
from timetracer_otel.drivers.celery.compare import compare, compare_requests
from timetracer_otel.drivers.celery.names import LIB, RUN
from timetracer_otel.drivers.celery.running import request_of
from timetracer_otel.errors import ReplayError


def task(result: Payload, **request: Value) -> Exchange:
    return Exchange("p-1", RUN, Signature(LIB, "run", "task"), {"task": "task", **request}, result)


def gave(value: Value) -> Exchange:
    return task({"state": "SUCCESS", "return_value": value})


@pytest.mark.parametrize(
    ("was", "now", "path"),
    [
        ({"error": None, "n": 1}, {"n": 1}, "return_value.error"),
        ([{"a": {"b": None}}], [{"a": {}}], "return_value[0].a.b"),
    ],
)
def test_a_key_with_none_is_another_one_than_no_key(was: Value, now: Value, path: str) -> None:
    assert compare(gave(was), gave(now)).differences == (Difference(path, None, ABSENT),)
    assert compare(gave(now), gave(was)).differences == (Difference(path, ABSENT, None),)
    assert compare(gave(was), gave(was)).differences == ()
    asked = [task({}, kwargs={"order": each}) for each in (was, now)]
    (found,) = compare_requests(*asked).differences
    assert (found.recorded, found.replayed) == (None, ABSENT)


def test_a_task_that_gives_none_is_another_one_than_a_task_that_gives_nothing() -> None:
    failed = task({"state": "FAILURE"})
    assert Difference("return_value", None, ABSENT) in compare(gave(None), failed).differences
    assert [each.path for each in compare(failed, failed).differences] == []


def test_a_task_is_asked_with_the_headers_that_it_had_and_no_trace_beside_them() -> None:
    trace = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    for headers in (trace, {"tenant": "t", **trace}, {}, None):
        context: Value = {"id": "1", "headers": headers, **trace}
        request = request_of(task({}, args=[], kwargs={}, context=context))
        assert request == {"id": "1", "headers": headers, "args": [], "kwargs": {}}


@pytest.mark.parametrize("context", [None, {}, {"id": None, "loglevel": 0, "headers": None}])
def test_a_task_that_celery_did_not_run_itself_is_refused_in_a_line(context: Value) -> None:
    """As celery-batches runs one for many messages: what it was given is not in its request."""
    with pytest.raises(ReplayError, match="not run by Celery's own tracer"):
        request_of(task({"state": "SUCCESS"}, args=None, kwargs=None, context=context))


def test_states_are_compared_in_their_order_and_one_that_is_too_many_or_missing_is_named() -> None:
    one: dict[str, Value] = {"state": "A", "meta": 1}
    two: dict[str, Value] = {"state": "B", "meta": None}
    orders: list[list[Value]] = [[one, two], [two, one], [one], []]
    told = [task({"state": "SUCCESS", "states": each}) for each in orders]
    paths = {each.path for each in compare(told[0], told[1]).differences}
    assert paths == {f"states[{index}].{name}" for index in range(2) for name in one}
    assert compare(told[0], told[2]).differences == (Difference("states[1]", two, ABSENT),)
    assert compare(told[3], told[2]).differences == (Difference("states[0]", ABSENT, one),)
    older = task({"state": "SUCCESS"})
    assert compare(older, told[0]).differences == ()
    cut = task({**told[0].result, "left_out": 3})
    assert compare(told[0], cut).differences == (Difference("left_out", ABSENT, 3),)


@pytest.mark.parametrize("sent", [["[redacted:token#aaaaaa]", "[redacted:token#bbbbbb]"], ["mine", "others"]])
def test_one_secret_of_the_task_where_another_was_is_a_difference(sent: list[Value]) -> None:
    one, other = "of [redacted:token#aaaaaa]", "of [redacted:token#bbbbbb]"
    result: Payload = {"state": "SUCCESS", "return_value": {"by": one}}
    was, known = task(result, args=sent), [one, other]
    assert compare(was, task(result, args=known)).differences == ()
    swapped = task({**result, "return_value": {"by": other}}, args=known)
    assert compare(was, swapped).differences == (Difference("return_value.by", one, other),)
    fresh = task({**result, "return_value": {"by": "of [redacted:token#cccccc]"}}, args=known)
    assert compare(was, fresh).differences == ()
