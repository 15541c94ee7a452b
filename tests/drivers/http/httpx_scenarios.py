"""What applications do with httpx; each gives something whose repr must be equal in replay."""

from __future__ import annotations

import asyncio
import functools
import io
from typing import Any

import httpx

from tests.drivers.http.places import (
    CLOSED,
    ODD,
    ODDS,
    PLAIN,
    TEXT,
    TLS,
    UNKNOWN,
    attempt,
    attempt_async,
    broken,
    pieces,
    pieces_async,
    shown,
    trusting,
)


def told(response: Any) -> Any:
    hops = [(hop.status_code, str(hop.url)) for hop in response.history]
    head = response.status_code, response.http_version, response.reason_phrase, shown(response.headers.raw)
    return *head, response.content, hops


def httpx_bodies() -> Any:
    with httpx.Client(base_url=PLAIN, auth=("ann", "kT4nary-basic")) as client:
        files = {"up": ("n.bin", b"\x00\xff", "image/x")}
        return [
            told(client.get("/echo", params=[("b", "2"), ("a", "1"), ("api_key", "kT4nary-query")])),
            told(client.post("/echo", json={"x": 1.0, "y": [1, None], "password": "kT4nary-json"})),
            told(client.post("/echo", data={"f": "ü", "password": "kT4nary-form"})),
            told(client.post("/echo", content=pieces())),
            told(client.post("/echo", content=io.BytesIO(TEXT))),
            told(client.put("/echo", content=b"large" * 300_000)),
            told(client.post("/echo", files=files, data={"k": "v", "token": "kT4nary-part"})),
            told(client.get("/binary")),
            told(client.get("/zipped")),
            told(client.get("/r1", follow_redirects=True)),
            told(client.head("/zipped")),
            told(client.get("/empty", params={"status": 204})),
            told(client.request("DELETE", "/echo", headers=[("X-Forwarded-For", "a"), ("x-forwarded-for", "b")])),
            sorted(client.cookies),
        ]


def httpx_streams() -> Any:
    given: list[Any] = []
    with httpx.Client(base_url=PLAIN) as client:
        with client.stream("GET", "/stream") as response:
            given.append(list(response.iter_raw()))
        with client.stream("GET", "/stream") as response:
            given.append((next(response.iter_raw()), response.num_bytes_downloaded))
        with client.stream("GET", "/stream") as response:
            given.append(response.status_code)
        with client.stream("GET", "/zipped") as response:
            given.append(list(response.iter_lines()))
    return given


def httpx_secrets() -> Any:
    with httpx.Client(base_url=PLAIN) as client:
        status = client.post("/login", json={"user": "ann", "password": "kT4nary-login"}).status_code
        names = sorted(client.get("/echo").json())
        users = [
            client.get("/whoami", headers={"Authorization": f"Bearer kT4nary-{name}"}).status_code
            for name in ("ann", "ann")
        ]
        return status, names, users


def httpx_digest() -> Any:
    with httpx.Client(base_url=PLAIN) as client:
        return [told(client.get("/digest", auth=httpx.DigestAuth("ann", "kT4nary-digest"))) for _ in range(2)]


def _odd(path: str) -> Any:
    return told(httpx.get(f"{ODD}/{path}"))


def httpx_failures() -> Any:
    with httpx.Client(base_url=PLAIN) as client:
        return [
            *(attempt(functools.partial(_odd, path)) for path in ODDS),
            attempt(lambda: client.get("/slow", timeout=0.3)),
            attempt(lambda: client.get(f"{ODD}/half", timeout=0.3)),
            attempt(lambda: client.get(UNKNOWN)),
            attempt(lambda: client.get(CLOSED)),
            attempt(lambda: client.post(CLOSED, content=b"unsent")),
            attempt(lambda: client.get(f"{TLS}/echo")),
            attempt(lambda: client.post("/echo", content=broken())),
            attempt(lambda: client.get("/echo", headers={"x": "bad\nvalue"})),
            attempt(lambda: client.get("ftp://files.example/b")),
            attempt(lambda: httpx.get("localhost:8000/b")),
        ]


def httpx_pool_exhausted() -> Any:
    limits, timeout = httpx.Limits(max_connections=1), httpx.Timeout(5, pool=0.1)
    with httpx.Client(base_url=PLAIN, limits=limits, timeout=timeout) as client, client.stream("GET", "/stream"):
        return attempt(lambda: client.get("/echo"))


def httpx_http2() -> Any:
    with httpx.Client(base_url=TLS, http2=True, verify=trusting()) as client:
        with client.stream("GET", "/stream") as response:
            parts = b"".join(response.iter_raw())
        return [
            told(client.get("/echo")),
            told(client.post("/echo", content=pieces())),
            told(client.get("/zipped")),
            told(client.get("/r1", follow_redirects=True)),
            parts,
        ]


async def httpx_async() -> Any:
    async with httpx.AsyncClient(base_url=PLAIN) as client:
        given: list[Any] = [
            told(await client.get("/echo")),
            told(await client.post("/echo", content=pieces_async())),
            told(await client.post("/echo", json={"a": 1})),
            told(await client.get("/r1", follow_redirects=True)),
        ]
        async with client.stream("GET", "/stream") as response:
            given.append([part async for part in response.aiter_raw()])
        async with client.stream("GET", "/stream") as response:
            async for part in response.aiter_raw():
                given.append(part)
                break
        for path in ODDS:
            client.cookies.clear()
            given.append(await attempt_async(lambda path=path: client.get(f"{ODD}/{path}")))  # type: ignore[misc]
        for url in ("/slow", UNKNOWN, CLOSED):
            given.append(await attempt_async(lambda url=url: client.get(url, timeout=0.3)))  # type: ignore[misc]
        given.append(await attempt_async(lambda: asyncio.wait_for(client.get("/slow"), 0.2)))
        return [each if not isinstance(each, httpx.Response) else told(each) for each in given]


async def httpx_cancelled() -> Any:
    """While it waits for more of a body, as a proxy is whose client leaves."""
    given: list[Any] = []

    async def read() -> None:
        async with httpx.AsyncClient() as client, client.stream("GET", f"{ODD}/half") as response:
            async for part in response.aiter_raw():
                given.append(part)

    return await attempt_async(lambda: asyncio.wait_for(read(), 0.3)), given


async def httpx_http2_at_once() -> Any:
    async with httpx.AsyncClient(base_url=TLS, http2=True, verify=trusting()) as client:
        return [told(each) for each in await asyncio.gather(*(client.get(f"/echo?i={i}") for i in range(5)))]


def httpx_peer() -> Any:
    with httpx.Client() as client, client.stream("GET", f"{PLAIN}/stream") as response:
        network = response.extensions["network_stream"]
        return network.get_extra_info("server_addr"), network.get_extra_info("ssl_object"), len(response.read())


async def httpx_peer_async() -> Any:
    async with httpx.AsyncClient() as client, client.stream("GET", f"{PLAIN}/stream") as response:
        return response.extensions["network_stream"].get_extra_info("server_addr"), len(await response.aread())


SCENARIOS = [
    httpx_bodies,
    httpx_streams,
    httpx_secrets,
    httpx_digest,
    httpx_failures,
    httpx_pool_exhausted,
    httpx_http2,
    httpx_async,
    httpx_cancelled,
    httpx_http2_at_once,
    httpx_peer,
    httpx_peer_async,
]
