"""Clients of HTTP, and a service that repeats what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

import aiohttp
import httpx
import requests
import urllib3
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.promises.canaries.secrets import QUERIES, REFUSED, bodies, document, headers, secret, text, told

_GZIP: Final = {"content-encoding": "gzip"}


def _clients() -> None:
    url = os.environ["HTTP"]
    refused = f"http://ann:{secret('refused')}@{REFUSED}/?api_key={secret('refusedquery')}&{QUERIES[0]}"
    for get in (httpx.get, requests.get):
        with told("http refused"):
            get(refused, timeout=2)
    with told("http"), httpx.Client() as client:
        for kind, data in bodies():
            client.post(f"{url}/echo", content=data, headers={"content-type": kind})
            client.put(f"{url}/echo", content=gzip.compress(data), headers={"content-type": kind, **_GZIP})
        for query in QUERIES:
            client.get(f"{url}/query?{query}", headers=headers())
            urllib3.request("GET", f"{url}/query?{query}", headers=headers())
        account = url.replace("://", f"://ann:{secret('account')}@")
        requests.post(f"{account}/echo", data={"token": secret("requests")}, timeout=9)
        requests.post(f"{url}/echo", files={"f": ("a", f"api_key={secret('upload')}")}, timeout=9)
        urllib.request.urlopen(f"{url}/echo", b"password=" + secret("urllib").encode()).read()


async def _aiohttp() -> None:
    with told("aiohttp"):
        async with aiohttp.ClientSession(headers=headers()) as session:
            url = f"{os.environ['HTTP']}/echo?token={secret('aiohttp')}"
            async with session.post(url, json=document("aiohttpjson")) as answer:
                await answer.read()
            await session.get(f"http://{REFUSED}/?access_token={secret('refusedtoken')}&{QUERIES[0]}")


# ---- a service -------------------------------------------------------------------------------------------------------


async def _repeat(request: Request) -> Response:
    body = await request.body()
    if request.url.path == "/fail":
        raise RuntimeError(f"cannot open {request.url} with {dict(request.headers)}: {body!r}")
    kept = {name: value for name, value in request.headers.items() if name.startswith("content-")}
    response = Response(body, headers={**kept, "X-Auth-Token": secret("answer"), "X-Url": str(request.url)})
    response.set_cookie("sid", secret("setcookie"))
    return response


async def _talk(socket: WebSocket) -> None:
    await socket.accept(headers=[(b"x-api-key", secret("accept").encode())])
    async for message in socket.iter_text():
        await socket.send_text(message)
        await socket.send_bytes(message.encode())
    await socket.close(4000, f"token={secret('reason')}")


APP: Final = Starlette(
    routes=[Route("/{path}", _repeat, methods=["GET", "POST", "PUT"]), WebSocketRoute("/talk/{name}", _talk)]
)


async def _serve() -> None:
    transport = httpx.ASGITransport(APP, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers()) as client:
        for kind, data in bodies():
            await client.post("/echo", content=data, headers={"content-type": kind})
            await client.put("/echo", content=gzip.compress(data), headers={"content-type": kind, **_GZIP})
        for query in QUERIES:
            await client.get(f"/query?{query}")
            await client.post(f"/fail?{query}", json=document("failing"))
    await _open()


async def _open() -> None:
    """A WebSocket, by hand."""
    frames = (text("frame"), f"token={secret('frametext')}", f"https://x/?{QUERIES[0]}")
    leaves = {"type": "websocket.disconnect", "code": 1000, "reason": f"password={secret('leaving')}"}
    heard = [{"type": "websocket.receive", "text": each} for each in frames]
    said: Iterator[dict[str, Any]] = iter([{"type": "websocket.connect"}, *heard, leaves])
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "scheme": "ws",
        "path": "/talk/ann",
        "raw_path": b"/talk/ann",
        "root_path": "",
        "query_string": f"access_token={secret('socketquery')}&{QUERIES[0]}".encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers().items()],
        "client": ("127.0.0.1", 1),
        "server": ("shop.example", 80),
        "subprotocols": ["bearer", secret("subprotocol")],
    }

    async def receive() -> dict[str, Any]:
        return next(said)

    async def send(message: Any) -> None:
        """Nobody hears it."""

    with contextlib.suppress(RuntimeError):  # it closes what is closed
        await APP(scope, receive, send)


PROGRAMS: Final[tuple[Callable[[], None], ...]] = (
    _clients,
    lambda: asyncio.run(_aiohttp()),
    lambda: asyncio.run(_serve()),
)
