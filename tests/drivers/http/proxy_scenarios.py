"""What applications do whose environment names a proxy: it is asked for whole addresses, or for a tunnel."""

from __future__ import annotations

import os
import urllib.request
from functools import partial
from typing import Any

import aiohttp
import httpx
import requests
from aiohttp_socks import ProxyConnector

from tests.drivers.http.aiohttp_scenarios import told as of_aiohttp
from tests.drivers.http.places import CERTIFICATE, CLOSED, PLAIN, TLS, attempt, attempt_async, trusting

PROXY = f"http://ann:kT4nary-proxy@127.0.0.1:{os.environ.get('HTTP_VIA', '1')}"
SOCKS = f"socks5h://ann:kT4nary-proxy@127.0.0.1:{os.environ.get('HTTP_SOCKS', '1')}"
NO_SOCKS = SOCKS.replace(os.environ.get("HTTP_SOCKS", "1"), os.environ.get("HTTP_CLOSED", "1"))
ENVIRONMENT = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "http_proxy": PROXY, "https_proxy": PROXY}


def environ() -> None:
    os.environ.update(ENVIRONMENT)
    os.environ.pop("no_proxy", None)


def cleared() -> None:
    for name in ENVIRONMENT:
        os.environ.pop(name, None)


def proxied() -> Any:
    """Every synchronous client, over the proxy and through it; each says whether it was asked over it."""
    environ()
    try:
        with httpx.Client(verify=trusting()) as client:
            given = [client.get(f"{base}/via", params={"by": "httpx"}).json() for base in (PLAIN, TLS)]
        with requests.Session() as session:
            for base in (PLAIN, TLS):
                given.append(session.get(f"{base}/via?by=requests", verify=CERTIFICATE).json())
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusting()))
        given += [opener.open(f"{base}/via?by=urllib").read() for base in (PLAIN, TLS)]
        return [*given, attempt(lambda: requests.get("http://nobody.invalid/", timeout=5).status_code)]
    finally:
        cleared()


async def proxied_async() -> Any:
    environ()
    try:
        async with httpx.AsyncClient(verify=trusting()) as client:
            given = [(await client.get(f"{base}/via?by=httpx-async")).json() for base in (PLAIN, TLS)]
        async with aiohttp.ClientSession(trust_env=True) as session:
            answers = [await of_aiohttp(session.get(f"{base}/via?by=aiohttp", ssl=trusting())) for base in (PLAIN, TLS)]
        return given, answers
    finally:
        cleared()


def socksified() -> Any:
    """Through a SOCKS proxy, by name: what came, of a server that is not there, of a proxy that is not there."""
    given: list[Any] = []
    for proxy in (SOCKS, NO_SOCKS):
        with httpx.Client(verify=trusting(), proxy=proxy.replace("socks5h", "socks5")) as client:
            given += [attempt(partial(_of_httpx, client, base)) for base in (PLAIN, TLS, CLOSED)]
        with requests.Session() as session:
            session.proxies = {"http": proxy, "https": proxy}
            given += [attempt(partial(_of_requests, session, base)) for base in (PLAIN, TLS, CLOSED)]
    return given


def _of_httpx(client: httpx.Client, base: str) -> Any:
    return client.get(f"{base}/via?by=httpx-socks").json()


def _of_requests(session: requests.Session, base: str) -> Any:
    return session.get(f"{base}/via?by=requests-socks", verify=CERTIFICATE, timeout=30).json()


async def socksified_async() -> Any:
    async with httpx.AsyncClient(verify=trusting(), proxy=SOCKS.replace("socks5h", "socks5")) as client:
        answers = [(await client.get(f"{base}/via?by=httpx-socks-async")).json() for base in (PLAIN, TLS)]
        answers.append(await attempt_async(partial(client.get, f"{CLOSED}/via")))
    for proxy in (SOCKS, NO_SOCKS):
        async with aiohttp.ClientSession(connector=_socks_connector(proxy)) as session:
            answers += [await attempt_async(partial(_of_aiohttp, session, base)) for base in (PLAIN, TLS, CLOSED)]
    return answers


def _socks_connector(proxy: str) -> ProxyConnector:
    return ProxyConnector.from_url(proxy.replace("socks5h", "socks5"), rdns=True)


async def _of_aiohttp(session: aiohttp.ClientSession, base: str) -> Any:
    return await of_aiohttp(session.get(f"{base}/via?by=aiohttp-socks", ssl=trusting()))


SCENARIOS = [proxied, proxied_async, socksified, socksified_async]
