"""What an application gets that asks otherwise than it did: each client, with the retries that people switch on.

`record` asks once, and reads no more than a part of a stream; `replay` asks for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import openai
import requests
import urllib3
from opentelemetry import trace
from requests.adapters import HTTPAdapter

from tests.drivers.http.places import PLAIN

ELSEWHERE = f"{PLAIN}/other"


def kinds(error: BaseException) -> list[str]:
    return [f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__[:3]]


def asked(work: Callable[[], Any]) -> Any:
    try:
        work()
    except Exception as error:  # noqa: BLE001  whatever it is, is what is told
        return kinds(error)
    return "answered"


async def aiohttp_get(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()


def with_retries() -> requests.Session:
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=urllib3.Retry(5, status_forcelist=[500], backoff_factor=0.1)))
    return session


def clients() -> dict[str, Callable[[], Any]]:
    retrying = httpx.HTTPTransport(retries=3)
    return {
        "httpx": lambda: httpx.get(ELSEWHERE),
        "httpx with retries": lambda: httpx.Client(transport=retrying).get(f"{ELSEWHERE}?r=1"),
        "requests with retries": lambda: with_retries().get(f"{ELSEWHERE}?r=2"),
        "urllib3 with retries": lambda: urllib3.PoolManager().request("GET", f"{ELSEWHERE}?r=3", retries=5),
        "urllib": lambda: urllib.request.urlopen(f"{ELSEWHERE}?r=4"),
        "aiohttp": lambda: asyncio.run(aiohttp_get(f"{ELSEWHERE}?r=5")),
        "openai": openai.OpenAI(api_key="k", base_url=ELSEWHERE).models.list,
    }


def half() -> list[Any]:
    """A part of a stream of each client."""
    client, session = httpx.Client(), requests.Session()
    with client.stream("GET", f"{PLAIN}/stream?c=httpx") as response:
        parts = [next(response.iter_raw())]
    with session.get(f"{PLAIN}/stream?c=requests", stream=True) as answer:
        parts.append(answer.raw.read(5))
    return parts


def whole() -> list[Any]:
    client, session = httpx.Client(), requests.Session()
    return [
        asked(lambda: client.get(f"{PLAIN}/stream?c=httpx")),
        asked(lambda: session.get(f"{PLAIN}/stream?c=requests")),
    ]


def main(mode: str) -> None:
    with trace.get_tracer("tests").start_as_current_span("work"):
        polled = [httpx.get(f"{PLAIN}/flaky?k=poll").json()["try"] for _ in range(3)]
        print(f"polled\t{polled!r}")
        if mode == "record":
            half()
            return
        with contextlib.suppress(Exception):  # R33: the application swallows it
            httpx.get(f"{PLAIN}/flaky?k=poll")
        for name, work in clients().items():
            print(f"{name}\t{asked(work)!r}")
        print(f"whole\t{whole()!r}")


if __name__ == "__main__":
    main(sys.argv[1])
