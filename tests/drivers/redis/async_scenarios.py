"""What takes more than one call, by the client of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

IMPATIENT: dict[str, Any] = {"retry": Retry(NoBackoff(), 0)}
Other = Callable[..., Any]


async def watching(client: Any, other: Other) -> Any:
    return await _watch(client, is_won=True), await _outcome(_watch(client, is_won=False))


async def _watch(client: Any, is_won: bool) -> Any:
    async with client.pipeline() as pipe:
        await pipe.watch("a")
        old = await pipe.get("a")
        if not is_won:
            await client.set("a", "5")
        pipe.multi()
        pipe.set("a", int(old) + 1)
        return await pipe.execute()


async def scanning(client: Any, other: Other) -> Any:
    return sorted([key async for key in client.scan_iter("p*")])


async def locking(client: Any, other: Other) -> Any:
    async with client.lock("lock", timeout=10, blocking_timeout=1) as held:
        await held.extend(5)
        second = client.lock("lock", timeout=10, blocking_timeout=0.02)
        return await held.owned(), await second.acquire(), await held.locked()


async def listening(client: Any, other: Other) -> Any:
    listener = client.pubsub()
    await listener.subscribe("c1")
    await listener.psubscribe("c*")
    got = [await listener.get_message(timeout=60), await listener.get_message(timeout=60)]
    await client.publish("c1", "hello")
    await client.publish("c2", b"\xff\x00")
    got += [await listener.get_message(timeout=60) for _ in range(3)]
    await (listener.aclose if hasattr(listener, "aclose") else listener.close)()
    return got


async def leaving(client: Any, other: Other) -> Any:
    """As a WebSocket that ends: nobody reads the confirmation, and an error of the application's is being handled."""
    listener = client.pubsub()
    await listener.subscribe("c1")
    got = await listener.get_message(timeout=60)
    try:
        raise EOFError
    except EOFError:
        await listener.unsubscribe("c1")
        await (listener.aclose if hasattr(listener, "aclose") else listener.close)()
    return got


async def hearing_in_a_task(client: Any, other: Other) -> Any:
    listener = client.pubsub()
    await listener.subscribe("news")
    await listener.get_message(timeout=60)

    async def first() -> Any:
        async for message in listener.listen():
            return message

    waiting = asyncio.create_task(first())
    await client.set("published", 1)
    await client.publish("news", "now")
    got = await asyncio.wait_for(waiting, 60)
    await (listener.aclose if hasattr(listener, "aclose") else listener.close)()
    return got


async def leaving_a_message(client: Any, other: Other) -> Any:
    """It has come when the listener closes, and nobody reads it."""
    listener = client.pubsub()
    await listener.subscribe("c1")
    got = await listener.get_message(timeout=60)
    await client.publish("c1", "unread")
    await asyncio.sleep(0.1)
    await (listener.aclose if hasattr(listener, "aclose") else listener.close)()
    return got


async def losing_its_server(client: Any, other: Other) -> Any:
    listener = other(**IMPATIENT).pubsub()
    await listener.subscribe("news")
    got = [await listener.get_message(timeout=60)]
    await client.client_kill_filter(_type="pubsub")
    got += [type(await _outcome(listener.get_message(timeout=60)))]
    await (listener.aclose if hasattr(listener, "aclose") else listener.close)()
    return got


async def gathering(client: Any, other: Other) -> Any:
    await asyncio.gather(*(client.set(f"t{number}", number) for number in range(8)))
    return await asyncio.gather(*(client.get(f"t{number}") for number in range(8)))


async def timing_out(client: Any, other: Other) -> Any:
    hasty = other(socket_timeout=0.5, **IMPATIENT)
    try:
        said = await _outcome(hasty.execute_command("BLPOP", "never", "5"))
        return said.partition(" reading")[0], await client.get("a")
    finally:
        await hasty.connection_pool.disconnect()


async def being_cancelled(client: Any, other: Other) -> Any:
    """The application waits no longer for an answer, and goes on. With a time-out of its own the client waits for its
    sending, and Python 3.11 may lose our cancelling there."""
    patient = other(socket_timeout=None, **IMPATIENT)
    try:
        await patient.get("a")  # it is connected then, also on a busy machine
        await asyncio.wait_for(patient.blpop("never", timeout=30), 0.5)
    except asyncio.TimeoutError:
        return await patient.get("a")
    finally:
        await patient.connection_pool.disconnect()


async def _outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except redis.exceptions.RedisError as error:
        return f"{type(error).__name__}: {error}"


SCENARIOS = (
    watching,
    scanning,
    locking,
    listening,
    leaving,
    hearing_in_a_task,
    leaving_a_message,
    losing_its_server,
    gathering,
    timing_out,
    being_cancelled,
)
