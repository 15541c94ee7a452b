"""LISTEN and NOTIFY, as applications use them."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg


def _plain(notification: psycopg.Notify) -> tuple[str, str]:
    return notification.channel, notification.payload


def notifications(dsn: str) -> Any:
    """To oneself and from others, to handlers and to waits, with waits in which none comes."""
    heard: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as own, psycopg.connect(dsn, autocommit=True) as other:
        own.execute("listen news")
        waits = [list(map(_plain, own.notifies(timeout=0.05)))]
        for payload in ("one", "two"):
            other.execute("select pg_notify('news', %s)", (payload,))
        waits.append(list(map(_plain, own.notifies(timeout=30, stop_after=2))))
        waits.append(list(map(_plain, own.notifies(timeout=0.05))))
        own.execute("notify news, 'to myself'")
        waits.append(list(map(_plain, own.notifies(timeout=30, stop_after=1))))
        own.add_notify_handler(lambda note: heard.append(_plain(note)))
        with other.transaction():
            other.execute("notify news, 'in a transaction'")
        own.execute("select 1")
        own.execute("notify news")
        own.execute("unlisten news")
    return waits, heard


async def notifications_async(dsn: str) -> Any:
    """A task that listens while another one notifies."""
    connect = psycopg.AsyncConnection.connect
    async with await connect(dsn, autocommit=True) as own, await connect(dsn, autocommit=True) as other:
        await own.execute("listen news")

        async def listen() -> list[Any]:
            return [_plain(note) async for note in own.notifies(timeout=30, stop_after=1)]

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.05)
        await other.execute("notify news, 'async'")
        first = await listening
        given_up = asyncio.create_task(listen())
        await asyncio.sleep(0.1)
        given_up.cancel()
        try:
            await given_up
        except asyncio.CancelledError:
            pass
        return first, await (await own.execute("select 1")).fetchone()


def once_more(dsn: str, waits: int) -> Any:
    with psycopg.connect(dsn, autocommit=True) as own:
        own.execute("listen news")
        own.execute("notify news, 'one'")
        list(own.notifies(timeout=0.01, stop_after=1))
        try:
            return [list(map(_plain, own.notifies(timeout=0.01))) for _ in range(waits)]
        except psycopg.OperationalError as error:
            return type(error).__name__


def from_another(dsn: str) -> Any:
    with psycopg.connect(dsn, autocommit=True) as own, psycopg.connect(dsn, autocommit=True) as other:
        own.execute("listen news")
        own.execute("notify news, 'to myself'")
        first = list(map(_plain, own.notifies(timeout=30, stop_after=1)))
        other.execute("notify news, 'one'")
        return first, list(map(_plain, own.notifies(timeout=30, stop_after=1)))
