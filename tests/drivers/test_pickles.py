"""Pickles in requests: what stands in them may be an instant of the run, as it may in text."""

from __future__ import annotations

import datetime
import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import by, exchange, session
from timetracer_otel.cassette.model import Signature
from timetracer_otel.drivers.base import Question
from timetracer_otel.drivers.pickles import text_in
from timetracer_otel.drivers.redis.questions import question

UTC = datetime.timezone.utc
THEN, NOW = (datetime.datetime(2026, 9, 21, 14, 13, 20, us, UTC) for us in (100_200, 300_400))
RECORDED = replace(exchange(1), signature=Signature("redis", "LPUSH", "queue"))
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def job(at: datetime.datetime, total: int = 5) -> dict[str, Any]:
    """As queues and caches have it: a float, whole milliseconds, and a datetime from protocol 3 on."""
    whole_ms = int(at.timestamp() * 1000)
    return {"total": total, "at": at.timestamp(), "ms": whole_ms, "day": at.replace(tzinfo=None)}


def push(value: bytes) -> Question:
    return question([[b"LPUSH", b"queue", value]], "0")


@pytest.mark.parametrize("protocol", PROTOCOLS[1:])
def test_an_instant_in_a_pickle_is_one_of_the_run(protocol: int) -> None:
    def pickled(value: object) -> Question:
        return push(pickle.dumps(value, protocol))

    reads = [int(NOW.timestamp() * 10**6) * 1000]
    source, journal = session(RECORDED, question=lambda _: pickled(job(THEN)), reads=reads)
    assert source.take(pickled(job(NOW, total=6)), by()) is None
    assert source.take(pickled(job(NOW + datetime.timedelta(days=9, milliseconds=7))), by()) is None
    assert source.take(pickled({**job(NOW), "at": THEN.timestamp() + 0.4}), by()) is None
    assert source.take(pickled(list(job(NOW).values())), by()) is None
    assert source.take(pickled(job(NOW)), by()) is not None
    assert [event["kind"] for event in journal.of("mapping")] == ["instant"]


def test_an_instant_before_bytes_is_one_of_the_run() -> None:
    """As dogpile.cache has it."""
    head = b'{"ct": %s, "v": 2}|\x80\x04\x88\xff.'
    then, now = (push(head % str(at.timestamp()).encode()) for at in (THEN, NOW))
    other = push(head.replace(b"\xff", b"\xfe") % str(NOW.timestamp()).encode())
    source, _ = session(RECORDED, question=lambda _: then, reads=[int(NOW.timestamp() * 10**6) * 1000])
    assert source.take(other, by()) is None
    assert source.take(now, by()) is not None


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_instruction_of_a_pickle_is_a_line(protocol: int) -> None:
    found = text_in(pickle.dumps({"name": "a\nb", "n": 1.5}, protocol))
    assert found is not None
    assert {"BINFLOAT 1.5", "STOP None"} < set(found.split("\n"))
    assert any(line.endswith(r" 'a\nb'") or r"a\nb" in line for line in found.split("\n"))


def test_what_is_no_whole_pickle_has_no_text() -> None:
    data = pickle.dumps({"n": 1})
    for each in (b"", b"plain.", data[:-1], data + b"x.", b"\x80\x04\xff.", pickle.dumps(1, 0)):
        assert text_in(each) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_text_or_none(data: bytes) -> None:
    for each in (data, b"\x80\x04" + data + b".", pickle.dumps(data)[:-9] + data + b"."):
        assert isinstance(text_in(each), (str, type(None)))


def test_bytes_of_the_length_of_a_date_that_are_none_stay_bytes() -> None:
    found = text_in(pickle.dumps(b"\x00" * 10, 4))
    assert found is not None
    assert repr(b"\x00" * 10) in found
