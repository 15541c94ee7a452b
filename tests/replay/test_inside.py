"""A replay inside a process that goes on without it (R52)."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.replay.recordings import START_NS, TRACE, by, exchange, segment
from timetracer_otel.capture import generated
from timetracer_otel.cassette.model import Cassette, Generated, Segment
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import inside
from timetracer_otel.replay.inside import OVER, replaying
from timetracer_otel.replay.library import question_of
from timetracer_otel.replay.redirecting import Redirection

LOOKS: tuple[Callable[[], object], ...] = (
    lambda: vars(socket.socket).get("connect"),
    lambda: socket.getnameinfo,
    lambda: (uuid.uuid4, uuid4.__code__),
    lambda: time.sleep,
    lambda: time.time_ns() // 10**12 == START_NS // 10**12,
)


def cassette(number: int, *made: Generated) -> tuple[Cassette, Segment]:
    whole = segment(exchange(number), generated=made)
    return Cassette(TRACE, (whole,)), whole


def test_r52_a_block_within_a_block_is_answered_alone_and_the_outer_one_goes_on_after_it() -> None:
    before = [look() for look in LOOKS]
    asked = question_of(exchange(1))
    with replaying(*cassette(1)) as outer:
        assert time.time_ns() // 10**12 == START_NS // 10**12
        with replaying(*cassette(2)) as inner:
            assert inside._process().session() is inner.session
            found = inner.session.take(asked, by())
        assert inside._process().session() is outer.session
        assert time.time_ns() // 10**12 == START_NS // 10**12
        assert (found and found.id, outer.report().unused[0]["exchange"]) == ("p-2", "p-1")
        assert outer.session.take(asked, by()) is not None
    assert [outer.report().verdict, inner.report().verdict] == ["same", "same"]
    assert [look() for look in LOOKS] == before


def test_r52_what_is_asked_after_the_end_gets_nothing_and_changes_no_verdict() -> None:
    with replaying(*cassette(1)) as block:
        pass
    verdict = block.report()
    assert block.session.take(question_of(exchange(1)), by()) is None
    assert OVER in block.session.miss(question_of(exchange(1)), by())
    assert (block.report(), verdict.verdict) == (verdict, "deviates")
    assert [stray["note"] for stray in block.strays()] == [OVER]


def make() -> uuid.UUID:
    return uuid4()


def test_ids_are_given_back_to_a_module_that_imported_the_function_before() -> None:
    sites: list[str] = []
    with replaying(*cassette(1)):
        monitored, generated.source = generated.source, lambda site, _: sites.append(site)
        make()
        generated.source = monitored
    recorded = uuid.UUID(int=7, version=4)
    with replaying(*cassette(1, Generated("uuid4", sites[0], 0, str(recorded)))):
        assert make() == recorded
        assert make() != recorded


def test_a_block_that_cannot_begin_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def install(self: Redirection) -> None:
        raise ReplayError("psycopg 9", "it has no wait", "another")

    before = [look() for look in LOOKS]
    monkeypatch.setattr(Redirection, "install", install)
    with pytest.raises(ReplayError), replaying(*cassette(1)):
        raise AssertionError("it has begun")
    assert [look() for look in LOOKS] == before
