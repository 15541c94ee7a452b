"""Which recorded command answers: equal ones, each once; and what a miss says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import started
from tests.drivers.redis.taping import PRODUCTION, replayed, taps, until
from tests.drivers.taping import ListTape
from tests.servers.redis import RedisServer
from timetracer_otel.drivers.redis.exceptions import UnrecordedCommand
from timetracer_otel.drivers.redis.questions import question

Program = Callable[[Any], Any]


def client_of(url: str, **options: Any) -> Any:
    return redis.Redis.from_url(url, **options)


def recorded(server: RedisServer, program: Program, **options: Any) -> ListTape:
    with taps() as tape:
        client = client_of(server.url(), **options)
        client.flushdb()
        tape.captured.clear()
        program(client)
        client.close()
    return tape


def order(client: Any, number: str = "42", state: str = "paid") -> Any:
    return client.set(f"order:{number}", state, ex=60)


def test_r32_equal_commands_are_answered_in_recorded_order_and_one_too_many_is_explained(server: RedisServer) -> None:
    def poll(client: Any, calls: int = 3) -> list[Any]:
        states = []
        for number in range(calls):
            states.append(client.get("job"))
            if number < 2:
                client.set("job", number)
        return states

    tape = recorded(server, poll)
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        assert poll(client) == [None, b"0", b"1"]
        assert replay.misses == []
        with pytest.raises(UnrecordedCommand, match="recorded 3 times, all used up: this is call number 4"):
            client.get("job")
        client.close()
    assert [each["differences"][0]["path"] for each in replay.journal.of("miss")] == ["calls"]


def test_equal_commands_are_answered_in_recorded_order_whichever_connections_a_pool_gives(server: RedisServer) -> None:
    with taps() as tape:
        first, second = client_of(server.url()), client_of(server.url())
        first.delete("polled")
        tape.captured.clear()
        recorded = [each.incr("polled") for each in (first, second, second, first)]
        first.close()
        second.close()
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        assert [client.incr("polled") for _ in recorded] == recorded == [1, 2, 3, 4]
        client.close()
    assert replay.misses == []


def test_a_miss_is_a_response_error_that_names_the_nearest_command_and_what_differs(server: RedisServer) -> None:
    tape = recorded(server, order)
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        with pytest.raises(redis.ResponseError, match=r"SET; nearest .* recorded 'order:42', asked 'order:43'"):
            order(client, "43")
        client.close()
    (miss,) = replay.journal.of("miss")
    assert [each["path"] for each in miss["differences"]] == ["commands[0][1]"]


MISSES: dict[str, Program] = {
    "transaction": lambda r: r.pipeline().incr("m").execute(),
    "pipeline": lambda r: r.pipeline(transaction=False).get("q").get("z").execute(),
    "script": lambda r: r.eval("return 1", 0),
    "registered script": lambda r: r.register_script("return 2")(),
    "blocking": lambda r: r.blpop("q", timeout=1),
    "stream": lambda r: r.xread({"s": "$"}, block=10),
    "lock": lambda r: r.lock("l", timeout=1).acquire(),
}


@pytest.mark.parametrize("name", MISSES)
def test_r33_each_kind_of_command_misses_at_once_and_is_asked_for_once(server: RedisServer, name: str) -> None:
    with replayed(recorded(server, order)) as replay:
        client = client_of(PRODUCTION)
        with pytest.raises(UnrecordedCommand):
            MISSES[name](client)
        client.close()
        assert len(replay.misses) == 1


def test_a_subscription_that_nobody_recorded_is_a_miss(server: RedisServer) -> None:
    with replayed(recorded(server, order)) as replay:
        listener = client_of(PRODUCTION).pubsub()
        listener.subscribe("x")
        with pytest.raises(UnrecordedCommand):
            listener.get_message(timeout=5)
        listener.close()
        assert replay.misses == ["SUBSCRIBE"]


def test_a_miss_is_the_same_for_the_client_of_asyncio(server: RedisServer) -> None:
    async def ask() -> None:
        client = redis.asyncio.Redis.from_url(PRODUCTION)
        try:
            await order(client, "43")
        finally:
            await client.connection_pool.disconnect()

    with replayed(recorded(server, order)), pytest.raises(UnrecordedCommand, match="order:43"):
        asyncio.run(ask())


def test_a_swallowed_miss_of_a_pipeline_is_in_the_report(server: RedisServer) -> None:
    with replayed(recorded(server, order)) as replay:
        client = client_of(PRODUCTION)
        given_back = client.pipeline(transaction=False).get("a").get("b").execute(raise_on_error=False)
        client.close()
        assert [type(each) for each in given_back] == [UnrecordedCommand, UnrecordedCommand]
        assert replay.misses == ["GET; GET"]


@pytest.mark.parametrize(("then", "now"), [(2, 3), (3, 2)])
def test_what_was_recorded_over_one_version_answers_the_other_as_its_server_would_or_not_at_all(
    server: RedisServer, then: int, now: int
) -> None:
    def read(client: Any) -> Any:
        client.hset("h", "a", 1)
        in_one = client.pipeline().hgetall("h").sadd("s", "b").smembers("s").execute()
        return client.hgetall("h"), in_one, client.get("no"), client.zadd("z", {"a": 1.5}), client.zscore("z", "a")

    tape = recorded(server, lambda client: (read(client), client.zrange("z", 0, -1, withscores=True)), protocol=then)
    with replayed(tape):
        client = client_of(PRODUCTION, protocol=now)
        expected = {b"a": b"1"}
        assert read(client) == (expected, [expected, 1, {b"b"}], None, 1, 1.5)
        with pytest.raises(UnrecordedCommand, match=f"recorded over RESP{then}, asked over RESP{now}"):
            client.zrange("z", 0, -1, withscores=True)
        client.close()


def test_an_order_inside_a_transaction_and_its_commit_are_part_of_what_was_asked(server: RedisServer) -> None:
    tape = recorded(server, lambda r: r.pipeline().incr("a").incr("b").execute())
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        with pytest.raises(UnrecordedCommand):
            client.pipeline().incr("b").incr("a").execute()
        assert client.pipeline().incr("a").incr("b").execute() == [1, 1]
        client.close()
        assert len(replay.misses) == 1


def test_a_name_in_small_letters_is_the_same_command(server: RedisServer) -> None:
    tape = recorded(server, lambda r: r.execute_command("INCR", "n"))
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        assert client.execute_command("incr", "n") == 1
        client.close()
        assert replay.misses == []


def test_equal_commands_of_two_databases_are_told_apart(server: RedisServer) -> None:
    def read(url: Callable[[int], str]) -> list[Any]:
        first, second = client_of(url(0)), client_of(url(1))
        first.set("where", "0")
        second.set("where", "1")
        saw = [second.get("where"), first.get("where")]
        first.close()
        second.close()
        return saw

    with taps() as tape:
        assert read(server.url) == [b"1", b"0"]
    with replayed(tape) as replay:
        assert read(lambda number: PRODUCTION.replace("6380/0", f"6380/{number}")) == [b"1", b"0"]
        assert replay.misses == []


ELSEWHERE = ("redis://cache.example/0", "redis://sessions.example/0")


def test_equal_commands_of_two_servers_are_told_apart_wherever_they_are_in_replay(server: RedisServer) -> None:
    def read(one: str, other: str, is_swapped: bool = False) -> list[Any]:
        first, second = client_of(one), client_of(other)
        first.set("cached", 1)
        second.set("session", 2)
        saw = [(second, first)[each ^ is_swapped].get("where") for each in (0, 1)]
        first.close()
        second.close()
        return saw

    another = started(RedisServer)
    server.command("SET", "where", "first")
    another.command("SET", "where", "second")
    with taps() as tape:
        assert read(server.url(), another.url()) == [b"second", b"first"]
    another.stop()
    for urls in ((server.url(), another.url()), ELSEWHERE):
        with replayed(tape) as replay:
            assert read(*urls) == [b"second", b"first"]
            assert read_nothing(urls[0], "cached")
            assert (len(replay.misses), replay.sessions["trace"].is_used_up) == (1, True)
    with replayed(tape) as replay:  # nothing says which of the two is meant
        assert read_nothing(ELSEWHERE[0], "where")
        assert len(replay.misses) == 1
    for urls in ((server.url(),) * 2, (ELSEWHERE[0],) * 2):
        with replayed(tape), pytest.raises(UnrecordedCommand):
            read(*urls)


def read_nothing(url: str, key: str) -> bool:
    client = client_of(url)
    try:
        client.get(key)
    except UnrecordedCommand:
        return True
    finally:
        client.close()
    return False


def test_a_cached_key_is_asked_for_again_where_another_client_has_changed_it(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's server is older than redis-py wants, and does what it is asked to all the same."""
    from redis.cache import CacheConfig
    from redis.connection import CacheProxyConnection

    monkeypatch.setattr(CacheProxyConnection, "MIN_ALLOWED_VERSION", "7.0.0")

    def asked(url: str) -> Any:
        client, cached = client_of(url), client_of(url, protocol=3, cache_config=CacheConfig())
        client.set("k", 1)
        saw = [cached.get("k"), cached.get("k"), cached.get("k")]
        client.set("k", 2)
        until(lambda: cached.get("k") != b"1")
        saw.append(cached.get("k"))
        for each in (client, cached):
            each.close()
        return saw

    with taps() as tape:
        recorded = asked(server.url())
    assert recorded == [b"1", b"1", b"1", b"2"]
    assert tape.names.count("GET") == 2
    with replayed(tape) as replay:
        assert asked("redis://cache.example") == recorded
        assert (replay.misses, replay.sessions["trace"].is_used_up) == ([], True)


words = st.lists(st.binary(max_size=12), min_size=1, max_size=5)
batches = st.lists(words, min_size=1, max_size=4)


@settings(max_examples=200, suppress_health_check=[HealthCheck.filter_too_much])
@given(batches, batches)
def test_two_batches_are_the_same_question_exactly_when_they_are_the_same_words(
    one: list[list[bytes]], other: list[list[bytes]]
) -> None:
    def named(batch: list[list[bytes]]) -> Any:
        return [[name.upper(), *arguments] for name, *arguments in batch]

    first, second = question(one, "s/0"), question(other, "s/0")
    are_same = (first.shape, [s.key for s in first.slots], [s.path for s in first.slots]) == (
        second.shape,
        [s.key for s in second.slots],
        [s.path for s in second.slots],
    )
    assert are_same == (named(one) == named(other))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_mutant_of_a_recorded_command_is_a_miss(server: RedisServer, data: st.DataObject) -> None:
    """One business value changed, left out or doubled: no answer comes from the recording of another one."""
    words = [b"SET", b"order:42", b"paid", b"EX", b"60"]
    place = data.draw(st.integers(1, len(words) - 1))
    replacement = data.draw(st.binary(max_size=8).filter(lambda raw: raw != words[place]))
    kind = data.draw(st.sampled_from(["change", "drop", "double"]))
    mutant = {
        "change": [*words[:place], replacement, *words[place + 1 :]],
        "drop": [*words[:place], *words[place + 1 :]],
        "double": [*words[:place], words[place], *words[place:]],
    }[kind]
    tape = _mutated(server)
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        with pytest.raises(UnrecordedCommand):
            client.execute_command(*mutant)
        assert client.execute_command(*words) in (True, b"OK")
        client.close()
        assert len(replay.misses) == 1


_tapes: list[ListTape] = []


def _mutated(server: RedisServer) -> ListTape:
    """Recorded once."""
    if not _tapes:
        _tapes.append(recorded(server, lambda r: r.execute_command("SET", "order:42", "paid", "EX", "60")))
    return _tapes[0]


def test_where_the_servers_are_is_answered_as_often_as_it_is_asked(server: RedisServer) -> None:
    """A pool that was warm when it was recorded may be cold in replay, and a cluster looks again."""
    tape = recorded(server, lambda r: r.execute_command("ROLE"))
    with replayed(tape) as replay:
        client = client_of(PRODUCTION)
        assert [client.execute_command("ROLE")[0] for _ in range(3)] == [b"master"] * 3
        assert client.ping() is True
        client.close()
        assert replay.misses == []
