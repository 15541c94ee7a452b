"""Messages that are due later: a countdown is the same however late it begins."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.celery.names import LIB, PUBLISH
from timetracer_otel.drivers.celery.questions import as_recorded, question
from timetracer_otel.replay.explain import request_json

RECORDED = datetime(2026, 1, 1, tzinfo=timezone.utc)
REPLAYED = datetime(2027, 6, 1, tzinfo=timezone.utc)


def message(number: int, at: datetime, wait_s: float | None) -> dict[str, Any]:
    eta = None if wait_s is None else (at + timedelta(seconds=wait_s)).isoformat()
    return {"args": [number], "kwargs": {}, "headers": {"eta": eta}, "published_ns": int(at.timestamp()) * 10**9}


def recorded(*waits_s: float | None) -> list[Exchange]:
    """One message for each, all sent in one moment."""
    return [
        Exchange(str(number), PUBLISH, Signature(LIB, "publish", "task"), message(number, RECORDED, wait_s), {})
        for number, wait_s in enumerate(waits_s)
    ]


def test_of_messages_that_are_due_as_soon_each_gets_the_instant_of_the_one_with_its_arguments() -> None:
    known = recorded(5.0, 5.001, 5.002)
    for number, exchange in enumerate(known):
        first, *_ = as_recorded(message(number, REPLAYED, 5.0), known)
        assert first["headers"] == exchange.request["headers"]


def test_where_no_arguments_are_the_same_all_that_are_due_as_soon_are_tried_the_nearest_first() -> None:
    known = recorded(5.4, 5.1, 60.0, None)
    found = list(as_recorded(message(9, REPLAYED, 5.0), known))
    assert [each["headers"] for each in found] == [known[1].request["headers"], known[0].request["headers"]]


def test_a_message_that_is_due_at_another_time_or_at_once_stays_as_it_is() -> None:
    known = recorded(5.0)
    for asked in (message(0, REPLAYED, 7.0), message(0, REPLAYED, None)):
        assert list(as_recorded(asked, known)) == [asked]


def expiring(at: datetime, wait_s: float, ttl: float) -> dict[str, Any]:
    sent = message(0, at, None)
    expires = (at + timedelta(seconds=wait_s)).isoformat()
    return {**sent, "headers": {"eta": None, "expires": expires}, "properties": {"expiration": ttl, "priority": 0}}


def test_the_seconds_that_celery_counts_until_an_instant_are_as_recorded_and_those_of_the_application_its_own() -> None:
    kept = expiring(RECORDED, 86_400, 86399.9731)
    known = [Exchange("0", PUBLISH, Signature(LIB, "publish", "task"), kept, {})]
    (again,) = as_recorded(expiring(REPLAYED, 86_400, 86399.9812), known)
    assert (again["headers"], again["properties"]) == (kept["headers"], kept["properties"])
    (another,) = as_recorded(expiring(REPLAYED, 86_400, 1800.0), known)
    assert another["properties"] == {"expiration": 1800.0, "priority": 0}
    of_its_own = {**message(0, REPLAYED, 5.0), "properties": {"expiration": 60.5}}
    without = {**message(0, RECORDED, 5.0), "properties": {"expiration": 60.4}}
    (first,) = as_recorded(of_its_own, [Exchange("0", PUBLISH, Signature(LIB, "publish", "task"), without, {})])
    assert first["properties"] == {"expiration": 60.5}


def oid(name: str) -> str:
    """As kombu names a process that answers come to."""
    return str(uuid.uuid3(uuid.NAMESPACE_OID, name))


def waiting(**changed: object) -> dict[str, Any]:
    signature = {
        "task": "shop.bill",
        "args": [{"task": "a"}],
        "kwargs": {},
        "options": {"reply_to": oid("me")},
        **changed,
    }
    return {
        "args": [1],
        "embed": {"callbacks": [{"python": "Signature", "value": signature}]},
        "headers": {"lang": "py"},
    }


def keys(request: dict[str, Any]) -> list[object]:
    return [(slot.path, slot.key) for slot in question(PUBLISH, "publish", "task", request).slots]


def test_another_task_that_waits_and_other_arguments_of_it_are_another_message() -> None:
    same = keys(waiting())
    assert keys(waiting(options={"reply_to": oid("somebody else")})) == same
    assert keys(waiting(task="shop.refund")) != same
    assert keys(waiting(args=[{"task": "b"}])) != same
    assert keys(waiting(kwargs={"lang": "de"})) != same
    assert keys(waiting(options={"queue": "slow"})) != same


def sent(**changed: object) -> dict[str, Any]:
    """With what Celery 5 puts into each message by itself."""
    headers = {"lang": "py", "task": "task", "origin": "gen71@web-1", "argsrepr": "(1,)", "traceparent": "00-1"}
    return {"args": [1], "headers": {**headers, **changed}, "properties": {"reply_to": oid("me")}}


def test_who_sent_a_message_is_no_part_of_it_but_a_header_of_the_application_by_the_same_name_is() -> None:
    same = keys(sent())
    assert keys(sent(origin="gen9@laptop", argsrepr="(1,)", traceparent="00-2")) == same
    assert keys(sent(origin="[redacted:email#0a1b2c]")) == same
    assert keys({**sent(), "properties": {"reply_to": oid("laptop")}}) == same
    for own in ({"lang": "de"}, {"task": "visit"}, {"origin": "newsletter"}, {"reply_to": "desk"}):
        assert keys(sent(**own)) != same
    assert keys(sent(origin="newsletter")) != keys(sent(origin="advert"))
    assert keys({**sent(), "properties": {"reply_to": "answers"}}) != same


def test_the_report_prints_the_arguments_and_of_all_else_what_differs() -> None:
    asked = question(PUBLISH, "publish", "task", {**sent(lang="de"), "kwargs": {"currency": "EUR"}})
    assert [slot.path for slot in asked.slots if not slot.is_detail] == ["args[0]", "kwargs.currency"]
    assert request_json(asked)["values"] == [1, "EUR"]
    assert {"headers.lang", "exchange", "serializer"} < {slot.path for slot in asked.slots if slot.is_detail}


def unlocking(name: str, kind: str) -> dict[str, Any]:
    """What Celery sends where the result backend does not count: the body of the chord is an argument."""
    body = {"task": "shop.bill", "args": [], "kwargs": {}, "options": {"reply_to": oid(name)}}
    return {"args": {"python": "tuple", "items": [{"python": kind, "value": body}]}}


def test_a_signature_among_the_arguments_says_where_answers_go_but_a_dictionary_of_the_application_counts() -> None:
    assert keys(unlocking("me", "Signature")) == keys(unlocking("laptop", "Signature"))
    assert keys(unlocking("me", "dict")) != keys(unlocking("laptop", "dict"))


def test_a_name_with_a_dot_is_not_a_way_into_a_dictionary_nor_one_with_brackets_into_a_list() -> None:
    assert keys({"kwargs": {"to": {"city": "Oslo"}}}) != keys({"kwargs": {"to.city": "Oslo"}})
    assert keys({"kwargs": {"to": ["Oslo"]}}) != keys({"kwargs": {"to[0]": "Oslo"}})
