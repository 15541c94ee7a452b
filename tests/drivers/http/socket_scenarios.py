"""What applications do with requests, urllib3 and http.client; each gives something whose repr is equal in replay."""

from __future__ import annotations

import http.client
import io
import ssl
import urllib.request
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3.util.retry import Retry

from tests.drivers.http.places import (
    CERTIFICATE,
    CLOSED,
    ODD,
    ODDS,
    PLAIN,
    TEXT,
    TLS,
    UNKNOWN,
    attempt,
    broken,
    pieces,
    shown,
    trusting,
)


def of_requests(response: Any) -> Any:
    hops = [(hop.status_code, hop.url) for hop in response.history]
    raw = response.raw
    return response.status_code, response.reason, raw.version, shown(raw.headers.items()), response.content, hops


def requests_bodies() -> Any:
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503], backoff_factor=0.1)))
        session.headers["Authorization"] = "Bearer kT4nary-requests"
        return [
            of_requests(session.get(f"{PLAIN}/echo", params={"a": [1, 2], "token": "kT4nary-q"})),  # type: ignore[arg-type]
            of_requests(session.post(f"{PLAIN}/echo", json={"z": "é", "secret": "kT4nary-json"})),
            of_requests(session.post(f"{PLAIN}/echo", data={"f": "1", "password": "kT4nary-form"})),
            of_requests(session.post(f"{PLAIN}/echo", data=pieces())),
            of_requests(session.post(f"{PLAIN}/echo", data=io.BytesIO(TEXT))),
            of_requests(session.put(f"{PLAIN}/echo", data=b"large" * 300_000)),
            of_requests(session.post(f"{PLAIN}/echo", files={"up": io.BytesIO(b"\x00\xff")})),
            of_requests(session.get(f"{PLAIN}/zipped")),
            of_requests(session.head(f"{PLAIN}/zipped")),
            of_requests(session.get(f"{PLAIN}/empty", params={"status": 304})),
            of_requests(session.get(f"{PLAIN}/r1")),
            of_requests(session.get(f"{PLAIN}/flaky?k=requests")),
            sorted(session.cookies.keys()),
        ]


def requests_streams() -> Any:
    given: list[Any] = []
    with requests.Session() as session:
        with session.get(f"{PLAIN}/stream", stream=True) as response:
            given.append(list(response.iter_content(None)))
        with session.get(f"{PLAIN}/binary", stream=True) as response:
            given.append(next(response.iter_content(100)))
        with session.get(f"{PLAIN}/zipped", stream=True) as response:
            given.append(response.raw.read(20))
        with session.get(f"{PLAIN}/stream", stream=True) as response:
            given.append(response.status_code)
        given.append(list(session.get(f"{PLAIN}/stream", stream=True).iter_lines()))
    return given


def requests_failures() -> Any:
    with requests.Session() as session:
        return [
            *(attempt(lambda odd=odd: of_requests(requests.get(f"{ODD}/{odd}"))) for odd in ODDS),  # type: ignore[misc]
            session.get(f"{ODD}/secret").status_code,
            attempt(lambda: session.get(f"{PLAIN}/slow", timeout=0.2)),
            attempt(lambda: session.get(f"{ODD}/half", timeout=0.3)),
            attempt(lambda: session.get(UNKNOWN)),
            attempt(lambda: session.get(CLOSED)),
            attempt(lambda: session.post(CLOSED, json={"a": 1})),
            attempt(lambda: session.get(f"{TLS}/echo")),
            attempt(lambda: session.post(f"{PLAIN}/echo", data=broken())),
            of_requests(session.get(f"{TLS}/echo", verify=CERTIFICATE)),
            of_requests(requests.get(f"{PLAIN}/digest", auth=HTTPDigestAuth("ann", "kT4nary-digest"))),
        ]


def of_urllib3(response: Any) -> Any:
    return response.status, response.reason, shown(response.headers.items()), response.data


def urllib3_all() -> Any:
    pool = urllib3.PoolManager(maxsize=1, block=True)
    given = [
        of_urllib3(pool.request("GET", f"{PLAIN}/r1")),
        of_urllib3(pool.request("POST", f"{PLAIN}/echo", json={"a": 1})),
        of_urllib3(pool.request("POST", f"{PLAIN}/echo", fields={"f": ("n", b"\xff")})),
        of_urllib3(pool.request("GET", f"{PLAIN}/flaky?k=urllib3", retries=Retry(4, status_forcelist=[503]))),
    ]
    response = pool.request("GET", f"{PLAIN}/stream", preload_content=False)
    given.append(list(response.stream()))
    response = pool.request("GET", f"{PLAIN}/stream", preload_content=False)
    given.append(response.read(3))
    response.close()
    response.release_conn()
    safe = urllib3.PoolManager(ssl_context=trusting())
    return [
        *given,
        of_urllib3(safe.request("GET", f"{TLS}/echo")),
        attempt(lambda: pool.request("GET", UNKNOWN, retries=1)),
        attempt(lambda: pool.request("GET", f"{ODD}/nothing", retries=2)),
        attempt(lambda: pool.request("GET", f"{PLAIN}/slow", timeout=0.2, retries=1)),
    ]


def http_client() -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", int(PLAIN.rpartition(":")[2]))
    given: list[Any] = []
    for body in (None, b"raw", io.BytesIO(b"file"), pieces()):
        connection.request("POST", "/echo", body=body, encode_chunked=True)
        response = connection.getresponse()
        given.append((response.status, response.reason, shown(response.getheaders()), response.read()))
    connection.request("GET", "/stream")
    response = connection.getresponse()
    given += [response.readline(), response.read1(100), response.isclosed()]
    connection.close()
    safe = http.client.HTTPSConnection("localhost", int(TLS.rpartition(":")[2]), context=trusting())
    safe.request("GET", "/binary")
    response = safe.getresponse()
    given += [response.status, response.read(1000), len(response.read())]
    return given


def urllib_request() -> Any:
    with urllib.request.urlopen(
        urllib.request.Request(f"{PLAIN}/r1", headers={"Cookie": "s=kT4nary-urllib"})
    ) as answer:
        given = [(answer.status, shown(answer.getheaders()), answer.url, answer.read())]
    context = ssl.create_default_context()
    return [
        *given,
        *(attempt(lambda odd=odd: urllib.request.urlopen(f"{ODD}/{odd}").read()) for odd in ODDS),  # type: ignore[misc]
        attempt(lambda: urllib.request.urlopen(UNKNOWN)),
        attempt(lambda: urllib.request.urlopen(CLOSED)),
        attempt(lambda: urllib.request.urlopen(f"{PLAIN}/nothing")),
        attempt(lambda: urllib.request.urlopen(f"{TLS}/echo", context=context)),
        attempt(lambda: urllib.request.urlopen(f"{PLAIN}/slow", timeout=0.2)),
    ]


def peers() -> Any:
    """As applications note which address they have met."""
    with requests.get(f"{PLAIN}/stream", stream=True) as response:
        sock = response.raw._connection.sock
        met = sock.getpeername(), sock.family, sock.type
    connection = http.client.HTTPConnection(PLAIN.removeprefix("http://"))
    connection.request("GET", "/stream")
    assert connection.sock is not None
    return met, connection.sock.getpeername(), len(connection.getresponse().read())


SCENARIOS = [requests_bodies, requests_streams, requests_failures, urllib3_all, http_client, urllib_request, peers]
