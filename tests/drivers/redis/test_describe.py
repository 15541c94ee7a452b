"""What an exchange says to people, in `list` and `show`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drivers.redis.taping import replayed, taps
from tests.servers.redis import RedisServer
from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.redis.describe import DESCRIBING
from timetracer_otel.errors import DamagedCassette


def program(client: Any) -> list[Any]:
    client.flushdb()
    saw = [client.set("order:42", "paid", ex=60), client.get("absent"), client.hset("h", mapping={"a": 1, "b": 2})]
    saw += [client.hgetall("h"), client.set("bin", b"\xff\x00"), client.config_get("maxmemory")]
    saw.append(client.pipeline().incr("n").get("n").execute())
    with pytest.raises(redis.ResponseError):
        client.incr("h")
    return saw


def test_a_command_says_what_was_asked_and_what_came_of_it(server: RedisServer) -> None:
    with taps() as tape:
        client: Any = redis.Redis(port=server.port, protocol=3)
        program(client)
        client.close()
    told = [DESCRIBING.describe(each) for each in tape.exchanges]
    assert [(each.text, list(each.values), each.outcome) for each in told if each is not None] == [
        ("FLUSHDB", [], "OK"),
        ("SET", ["order:42", "paid", "EX", "60"], "OK"),
        ("GET", ["absent"], "nil"),
        ("HSET", ["h", "a", "1", "b", "2"], "2"),
        ("HGETALL", ["h"], "2 pairs"),
        ("SET", ["bin", b"\xff\x00"], "OK"),
        ("CONFIG", ["GET", "maxmemory"], "1 pair"),
        ("MULTI", ["MULTI", "INCRBY n 1", "GET n", "EXEC"], "4 replies"),
        ("INCRBY", ["h", "1"], "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]
    assert [each.signature.url for each in tape.exchanges][:2] == ["", "order"]


def test_the_readable_form_replays_as_the_bytes_do(server: RedisServer) -> None:
    with taps() as tape:
        client: Any = redis.Redis(port=server.port, protocol=3)
        recorded = program(client)
        client.close()
    shown = [DESCRIBING.readable(each) for each in tape.exchanges]
    assert shown[1].request["commands"] == [["SET", "order:42", "paid", "EX", "60"]]
    assert shown[1].result["replies"] == [{"+": "OK"}]
    assert [DESCRIBING.describe(each) for each in shown] == [DESCRIBING.describe(each) for each in tape.exchanges]

    class Shown(type(tape)):  # type: ignore[misc]  # the same tape, whose exchanges somebody has made readable
        exchanges = shown

    with replayed(Shown(tape.codec)) as replay:
        client = redis.Redis(host="cache.example", protocol=3)
        assert program(client) == recorded
        client.close()
        assert replay.misses == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["+", "%", "*", "x"]), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(values, values, values)
def test_an_exchange_of_anybodys_making_is_described_or_not_and_never_raises(
    commands: Any, replies: Any, error: Any
) -> None:
    exchange = Exchange(
        "x-1", "db.command", Signature("redis", "GET", ""), {"commands": commands}, {"replies": replies}
    )
    assert DESCRIBING.describe(exchange) is None or DESCRIBING.describe(exchange)
    DESCRIBING.describe(replace(exchange, type="net.connect", result={"error": error}))
    try:
        assert isinstance(DESCRIBING.readable(exchange), Exchange)
    except DamagedCassette:
        pass
