"""What takes more than one call, by the synchronous client."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

IMPATIENT: dict[str, Any] = {"retry": Retry(NoBackoff(), 0)}
Other = Callable[..., Any]
"""Makes another client of the same server, with these options."""


def watching(client: Any, other: Other) -> Any:
    return _watch(client, is_won=True), _outcome(lambda: _watch(client, is_won=False))


def _watch(client: Any, is_won: bool) -> Any:
    with client.pipeline() as pipe:
        pipe.watch("a")
        old = pipe.get("a")
        if not is_won:
            client.set("a", "5")
        pipe.multi()
        pipe.set("a", int(old) + 1)
        return pipe.execute()


def scanning(client: Any, other: Other) -> Any:
    return sorted(client.scan_iter("p*")), sorted(client.hscan_iter("h"))


def locking(client: Any, other: Other) -> Any:
    with client.lock("lock", timeout=10, blocking_timeout=1) as held:
        held.extend(5)
        second = client.lock("lock", timeout=10, blocking_timeout=0.02)
        saw = held.owned(), second.acquire(), held.locked()
    lost = client.lock("lost", timeout=10)
    lost.acquire()
    client.delete("lost")
    return saw, _outcome(lost.release)


def listening(client: Any, other: Other) -> Any:
    listener = client.pubsub()
    listener.subscribe("c1")
    listener.psubscribe("c*")
    got = [listener.get_message(timeout=60), listener.get_message(timeout=60)]
    client.publish("c1", "hello")
    client.publish("c2", b"\xff\x00")
    got += [listener.get_message(timeout=60) for _ in range(3)]
    listener.unsubscribe("c1")
    listener.punsubscribe()
    got += [listener.get_message(timeout=60), listener.get_message(timeout=60)]
    listener.close()
    return got


def leaving(client: Any, other: Other) -> Any:
    """Nobody reads the confirmation."""
    listener = client.pubsub()
    listener.subscribe("c1")
    got = listener.get_message(timeout=60)
    listener.unsubscribe("c1")
    listener.close()
    return got


def hearing_in_a_thread(client: Any, other: Other) -> Any:
    """A thread waits for messages, as long as it takes."""
    got: list[Any] = []
    listener = client.pubsub()
    listener.subscribe("news")
    listener.get_message(timeout=60)
    thread = threading.Thread(target=lambda: got.append(next(listener.listen())))
    thread.start()
    client.set("published", 1)
    client.publish("news", "now")
    thread.join(60)
    listener.close()
    return got


def losing_its_server(client: Any, other: Other) -> Any:
    """A listener's connection breaks while nothing is asked: one hears of it, one subscribes anew by itself."""
    got: list[Any] = []
    for options in (IMPATIENT, {"retry": Retry(NoBackoff(), 1)}):
        listener = other(**options).pubsub(ignore_subscribe_messages=True)
        listener.subscribe("news")
        listener.get_message(timeout=60)
        client.client_kill_filter(_type="pubsub")
        got.append(_outcome(lambda: listener.get_message(timeout=0.5)).__class__)  # noqa: B023 -- called at once
        client.publish("news", "again")
        got.append(_outcome(lambda: listener.get_message(timeout=0.5)).__class__)  # noqa: B023 -- as above
        listener.close()
    return got


def several_threads(client: Any, other: Other) -> Any:
    seen: dict[int, Any] = {}

    def work(number: int) -> None:
        client.set(f"t{number}", number)
        seen[number] = client.get(f"t{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seen.items())


def timing_out(client: Any, other: Other) -> Any:
    hasty = other(socket_timeout=0.5, **IMPATIENT)
    said = _outcome(lambda: hasty.execute_command("BLPOP", "never", "5"))
    return said.partition(" reading")[0], client.get("a")


def ending_its_own_connection(client: Any, other: Other) -> Any:
    victim = other(**IMPATIENT)
    return _outcome(lambda: victim.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"))


def connecting_again(client: Any, other: Other) -> Any:
    """The pool finds that the server has gone away, and connects anew."""
    return client.get("a")


def monitoring(client: Any, other: Other) -> Any:
    with client.monitor() as monitor:
        client.set("monitored", 1)
        return next(monitor.listen())["command"]


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except redis.exceptions.RedisError as error:
        return f"{type(error).__name__}: {error}"


SCENARIOS = (
    watching,
    scanning,
    locking,
    listening,
    leaving,
    hearing_in_a_thread,
    losing_its_server,
    several_threads,
    timing_out,
    ending_its_own_connection,
    connecting_again,
    monitoring,
)
