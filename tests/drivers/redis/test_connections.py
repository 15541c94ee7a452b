"""Connects that fail, connections that break, servers that want no client: each as it was, again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.conftest import started
from tests.drivers.redis.sync_scenarios import IMPATIENT
from tests.drivers.redis.taping import PRODUCTION, TIMEOUT_S, replayed, taps, until
from tests.drivers.taping import ListTape
from tests.launching import free_port
from tests.servers.proxy import RecordingProxy
from tests.servers.redis import RedisServer
from timetracer_otel.drivers.redis.codec import CODEC


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[RedisServer]:
    """It wants a password once it runs."""
    running = started(RedisServer)
    running.command("CONFIG", "SET", "requirepass", "open-sesame")
    yield running
    running.stop()


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except redis.exceptions.RedisError as error:
        return type(error).__name__, str(error)


def get(url: str, **options: Any) -> Any:
    client: Any = redis.Redis.from_url(url, **options)
    try:
        return outcome(lambda: client.get("k"))
    finally:
        client.close()


def test_a_refused_connect_is_refused_again_as_often_as_the_client_tries() -> None:
    port = free_port()
    thrice = {"retry": Retry(NoBackoff(), 2)}
    with taps() as tape:
        recorded = get(f"redis://127.0.0.1:{port}", **thrice)
    assert recorded[0] == "ConnectionError"
    assert [each.type for each in tape.exchanges] == ["net.connect"] * 3
    with replayed(tape) as replay:
        assert get(f"redis://127.0.0.1:{port}", **thrice) == recorded
        assert (replay.misses, replay.sessions["trace"].is_used_up) == ([], True)


def test_a_refused_connect_over_tls_is_one_exchange_for_each_attempt() -> None:
    url = f"rediss://127.0.0.1:{free_port()}"
    with taps() as tape:
        recorded = get(url, **IMPATIENT)
    assert len(tape.exchanges) == 1
    with replayed(tape):
        assert get(url, **IMPATIENT) == recorded


def test_a_connect_that_fails_in_asyncio_fails_again() -> None:
    port = free_port()

    async def ask() -> Any:
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        client: Any = redis.asyncio.Redis.from_url(f"redis://127.0.0.1:{port}", retry=retry)
        try:
            return await client.get("k")
        except redis.exceptions.RedisError as error:
            return type(error).__name__, str(error)
        finally:
            await client.connection_pool.disconnect()

    with taps() as tape:
        recorded = asyncio.run(ask())
    assert [each.type for each in tape.exchanges] == ["net.connect"]
    with replayed(tape):
        assert asyncio.run(ask()) == recorded


def test_a_wrong_password_is_wrong_again_and_is_in_no_exchange(guarded_server: RedisServer) -> None:
    wrong = f"redis://:not-this-one@127.0.0.1:{guarded_server.port}"
    with taps() as tape:
        recorded = get(wrong, **IMPATIENT)
    assert recorded[0] == "AuthenticationError"
    assert [each.signature.method for each in tape.exchanges] == ["GREET"]
    assert "not-this-one" not in str(tape.exchanges)
    with replayed(tape):
        assert get(wrong, **IMPATIENT) == recorded


def test_a_right_password_is_in_no_exchange_and_not_needed_in_replay(guarded_server: RedisServer) -> None:
    for protocol in (2, 3):
        with taps() as tape:
            assert get(f"redis://:open-sesame@127.0.0.1:{guarded_server.port}", protocol=protocol) is None
        assert "open-sesame" not in str(tape.exchanges) + str(tape.connections)
        with replayed(tape) as replay:
            assert get(PRODUCTION, protocol=protocol) is None
            assert replay.misses == []


def test_a_connection_that_breaks_under_a_command_breaks_again_and_the_client_asks_once_more(
    server: RedisServer,
) -> None:
    """The driver's own retry is at work both times."""

    def program(port: int, cut: Callable[[Any], None]) -> Any:
        client: Any = redis.Redis(port=port, retry=Retry(NoBackoff(), 1), retry_on_error=[redis.ConnectionError])
        other: Any = redis.Redis(port=port)
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(outcome(lambda: client.blpop("queue", timeout=60))))
        thread.start()
        cut(other)
        thread.join(TIMEOUT_S)
        client.close()
        other.close()
        return got

    server.command("DEL", "queue")
    proxy = RecordingProxy(server.port)

    def waiting() -> set[bytes]:
        clients = server.command("CLIENT", "LIST").splitlines()
        return {client.split()[0] for client in clients if b" cmd=blpop " in client}

    def cut(other: Any) -> None:
        until(waiting)
        broken = waiting()
        proxy.cut()
        until(lambda: not broken & waiting())  # else the server gives to a client that has gone
        server.command("RPUSH", "queue", "after")

    with taps() as tape:
        recorded = program(proxy.port, cut)
    proxy.stop()
    assert recorded == [(b"queue", b"after")]
    assert tape.names == ["BLPOP", "BLPOP"]
    assert [each.result.get("lost") for each in tape.exchanges] == ["closed", None]
    with replayed(tape) as replay:
        from opentelemetry.instrumentation.threading import ThreadingInstrumentor

        ThreadingInstrumentor().instrument()
        try:
            assert program(6379, lambda other: None) == recorded
        finally:
            ThreadingInstrumentor().uninstrument()
        assert replay.misses == []


URLS: dict[str, dict[str, Any]] = {
    "rediss://u:p@db.example:6380/2?ssl_ca_certs=/no/ca.pem&ssl_certfile=/no/c.pem&ssl_keyfile=/no/k.pem": {},
    "unix:///no/such.sock?db=1": {},
    "redis://:secret@10.255.255.1:6379/0": {"protocol": 3},
    "redis://u:p@db:6379": {"protocol": 2, "client_name": "c", "health_check_interval": 1},
}


@pytest.mark.parametrize("url", URLS)
def test_any_address_leads_to_the_recording(server: RedisServer, url: str) -> None:
    server.command("SET", "k", "v")
    with taps() as tape:
        for _ in range(2):
            assert get(server.url()) == b"v"

    async def ask() -> Any:
        client: Any = redis.asyncio.Redis.from_url(url, **URLS[url])
        try:
            return await client.get("k")
        finally:
            await client.connection_pool.disconnect()

    with replayed(tape) as replay:
        assert get(url, **URLS[url]) == b"v"
        assert asyncio.run(ask()) == b"v"
        assert replay.misses == []


def test_a_connection_that_was_made_before_the_replay_is_made_anew(server: RedisServer) -> None:
    """To a real server, or for a replay that is over; and afterwards the client finds its server again."""
    server.command("SET", "k", "v")
    client: Any = redis.Redis(port=server.port)
    with taps() as tape:
        assert client.get("k") == b"v"
    server.command("SET", "k", "another")
    for _ in range(2):
        with replayed(tape) as replay:
            assert client.get("k") == b"v"
            assert replay.misses == []
    client.close()
    assert client.get("k") == b"another"
    client.close()


def test_a_reader_whose_connection_another_thread_closes_hears_that_it_is_closed() -> None:
    """The stub gives messages in turns, and in between nobody waits in `recv`."""
    got: list[Any] = []
    with replayed(ListTape(CODEC)):
        connection: Any = redis.Redis.from_url(PRODUCTION, **IMPATIENT).connection_pool.make_connection()
        connection.send_command("SUBSCRIBE", "news")
        assert "no recorded answer" in outcome(connection.read_response)[1]
        thread = threading.Thread(target=lambda: got.append(outcome(connection.read_response)))
        thread.start()
        time.sleep(0.1)  # so that it waits by now
        connection.disconnect()
        thread.join(TIMEOUT_S)
    assert got == [("ConnectionError", "Connection closed by server.")]
