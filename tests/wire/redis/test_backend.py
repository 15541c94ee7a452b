"""The server's side of a connection: an answer for each batch, however its bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.redis.strategies import cuts, pieces
from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.backend import Answer, Line, RedisBackend, greeting
from timetracer_otel.wire.redis.topics import Topics


@settings(max_examples=40)
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.binary(max_size=10)), max_size=5), cuts)
def test_each_batch_has_its_answer_however_the_bytes_are_cut(talk: list[tuple[bytes, bytes]], where: list[int]) -> None:
    line = Line()
    backend = RedisBackend({7: line}.get)
    for request, reply in talk:
        line.expect(Answer(len(request), reply))
    data = greeting(7) + b"".join(request for request, _ in talk)
    assert b"".join(backend.receive(piece) for piece in pieces(data, where)) == b"".join(reply for _, reply in talk)
    assert not backend.is_closing


def test_a_connection_that_broke_breaks_behind_what_was_sent_and_says_nothing_more() -> None:
    line = Line()
    backend = RedisBackend({7: line}.get)
    line.expect(Answer(3, b"$5\r\nhal", is_last=True))
    line.expect(Answer(3, b"+OK\r\n"))
    assert backend.receive(greeting(7) + b"onetwo") == b"$5\r\nhal"
    assert backend.is_closing


@pytest.mark.parametrize("first", [b"*1\r\n$4\r\nPING\r\n" * 2, greeting(8), b"\x16\x03\x01" + b"x" * 2_000_000])
def test_a_client_that_nobody_has_announced_is_refused(first: bytes) -> None:
    with pytest.raises(WireError):
        RedisBackend({7: Line()}.get).receive(first)


def test_topics_are_what_was_subscribed_and_not_left() -> None:
    topics = Topics()
    assert topics.send(b"SUBSCRIBE", [b"b", b"a"]) == 2
    assert topics.send(b"PSUBSCRIBE", [b"n*"]) == 1
    assert topics.send(b"GET", [b"k"]) == 0
    assert topics.listened() == [[b"PSUBSCRIBE", b"n*"], [b"SUBSCRIBE", b"a", b"b"]]
    assert topics.send(b"UNSUBSCRIBE", [b"a"]) == 1
    assert topics.send(b"PUNSUBSCRIBE", []) == 1
    assert topics.listened() == [[b"SUBSCRIBE", b"b"]]
    assert topics.send(b"UNSUBSCRIBE", []) == 1
    assert topics.send(b"UNSUBSCRIBE", []) == 1  # the server says that there is nothing left
    assert not topics
    topics.send(b"CLIENT", [b"tracking", b"on"])
    assert topics.listened() == [[b"CLIENT", b"TRACKING"]]
