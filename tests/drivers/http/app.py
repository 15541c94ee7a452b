"""An application whose requests share one client of each kind: `/all` asks the same of a server with all of them."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
import requests
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.drivers.http.places import PLAIN

URL = f"{PLAIN}/whoami"
client, sync_client, session = httpx.AsyncClient(), httpx.Client(), requests.Session()
shared: dict[str, aiohttp.ClientSession] = {}


async def numbers(_: Request) -> JSONResponse:
    if "aiohttp" not in shared:
        shared["aiohttp"] = aiohttp.ClientSession()
    async_session = shared["aiohttp"]
    given = await asyncio.gather(
        asyncio.to_thread(lambda: [session.get(URL).json()["n"] for _ in range(3)]),
        asyncio.to_thread(lambda: [sync_client.get(f"{URL}?a=3").json()["n"] for _ in range(3)]),
        _httpx(),
        _aiohttp(async_session),
    )
    return JSONResponse({"numbers": given})


async def _httpx() -> list[Any]:
    return [(await client.get(f"{URL}?a=1")).json()["n"] for _ in range(3)]


async def _aiohttp(async_session: aiohttp.ClientSession) -> list[Any]:
    found = []
    for _ in range(3):
        async with async_session.get(f"{URL}?a=2") as response:
            found.append((await response.json())["n"])
    return found


app = Starlette(routes=[Route("/all", numbers)])
