"""What applications do with aiohttp; each gives something whose repr must be equal in replay."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp

from tests.drivers.http.places import (
    CLOSED,
    ODD,
    ODDS,
    PLAIN,
    TEXT,
    TLS,
    UNKNOWN,
    attempt_async,
    broken_async,
    pieces_async,
    shown,
    trusting,
)


async def told(making: Any) -> Any:
    async with making as response:
        hops = [(hop.status, str(hop.url)) for hop in response.history]
        return response.status, response.reason, shown(response.raw_headers), await response.read(), hops


def form() -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("up", b"\x00\xff", filename="n.bin")
    data.add_field("k", "v")
    return data


async def aiohttp_bodies() -> Any:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"X-Api-Key": "kT4nary-aiohttp"}) as session:
        return [
            await told(session.get(f"{PLAIN}/echo?b=2&a=1&token=kT4nary-q")),
            await told(session.post(f"{PLAIN}/echo", json={"x": 1, "password": "kT4nary-json"})),
            await told(session.post(f"{PLAIN}/echo", data={"f": "ü"})),
            await told(session.post(f"{PLAIN}/echo", data=pieces_async())),
            await told(session.post(f"{PLAIN}/echo", data=io.BytesIO(TEXT))),
            await told(session.put(f"{PLAIN}/echo", data=io.BytesIO(b"large" * 300_000))),
            await told(session.post(f"{PLAIN}/echo", data=form())),
            await told(session.get(f"{PLAIN}/zipped")),
            await told(session.head(f"{PLAIN}/zipped")),
            await told(session.get(f"{PLAIN}/empty?status=204")),
            await told(session.get(f"{PLAIN}/r1")),
            await told(session.get(f"{PLAIN}/binary")),
            await told(session.get(f"{TLS}/echo", ssl=trusting())),
            sorted(cookie.key for cookie in jar),
        ]


async def aiohttp_streams() -> Any:
    given: list[Any] = []
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{PLAIN}/stream") as response:
            given.append([chunk async for chunk, _ in response.content.iter_chunks()])
        async with session.get(f"{PLAIN}/stream") as response:
            given.append(await response.content.readline())
        async with session.get(f"{PLAIN}/stream") as response:
            given.append(response.status)
        async with session.get(f"{PLAIN}/stream") as response:
            given.append([line async for line in response.content])
    return given


async def aiohttp_failures() -> Any:
    total, read = aiohttp.ClientTimeout(total=0.3), aiohttp.ClientTimeout(sock_read=0.3)
    given: list[Any] = []
    for odd in ODDS:
        async with aiohttp.ClientSession() as session:
            given.append(await attempt_async(lambda s=session, odd=odd: told(s.get(f"{ODD}/{odd}"))))  # type: ignore[misc]
    async with aiohttp.ClientSession() as session:
        return [
            *given,
            await attempt_async(lambda: told(session.get(f"{PLAIN}/slow", timeout=total))),
            await attempt_async(lambda: told(session.get(f"{PLAIN}/slow", timeout=read))),
            await attempt_async(lambda: told(session.get(f"{ODD}/half", timeout=read))),
            await attempt_async(lambda: told(session.get(UNKNOWN))),
            await attempt_async(lambda: told(session.get(CLOSED))),
            await attempt_async(lambda: told(session.post(CLOSED, json={"a": 1}))),
            await attempt_async(lambda: told(session.get(f"{TLS}/echo"))),
            await attempt_async(lambda: told(session.post(f"{PLAIN}/echo", data=broken_async()))),
            await attempt_async(lambda: asyncio.wait_for(told(session.get(f"{PLAIN}/slow")), 0.2)),
        ]


async def aiohttp_cancelled() -> Any:
    """While it waits for more of a body, as a proxy is whose client leaves."""
    given: list[Any] = []

    async def read() -> None:
        async with aiohttp.ClientSession() as session, session.get(f"{ODD}/half") as response:
            async for part in response.content.iter_any():
                given.append(part)

    return await attempt_async(lambda: asyncio.wait_for(read(), 0.3)), given


async def aiohttp_asks_first() -> Any:
    """The body of such a request waits for a 100 Continue."""
    given: list[Any] = []
    async with aiohttp.ClientSession(PLAIN) as session:
        async with session.post("/echo", data=b"a body", expect100=True) as response:
            given.append((response.status, (await response.json())["length"]))
        async with session.get("/stream") as response:
            assert response.connection is not None
            assert response.connection.transport is not None
            given.append(response.connection.transport.get_extra_info("peername"))
            given.append(response.connection.transport.get_extra_info("nothing", 7))
            await response.read()
    return given


SCENARIOS = [aiohttp_bodies, aiohttp_streams, aiohttp_failures, aiohttp_cancelled, aiohttp_asks_first]
