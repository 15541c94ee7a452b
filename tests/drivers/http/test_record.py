"""R12: what is sent is what is sent without us; and what the taps make of streams, faults and limits."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import http.client
import io
import tracemalloc
import urllib.request
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import httpx
import pytest
import requests
import urllib3
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from tests.drivers.http.listener import Listener
from tests.drivers.http.taping import taps
from tests.drivers.taping import ListTape
from timetracer_otel.capture import guard
from timetracer_otel.capture.table import Captured
from timetracer_otel.config import MIB
from timetracer_otel.drivers.http import aiohttp_tap, calls, core_tap, socket_tap
from timetracer_otel.drivers.http.requests import body_of
from timetracer_otel.drivers.http.uploads import KEPT_MAX_BYTES, Upload


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    server = Listener()
    yield server
    server.stop()


def pieces() -> Iterator[bytes]:
    yield b"first;"
    yield b"second"


def requests_of(url: str) -> list[Any]:
    """What a mixture of requests of every client gives."""
    with httpx.Client() as client, requests.Session() as session:
        pool = urllib3.PoolManager()
        return [
            client.get(f"{url}/a?x=%FF&x=2", headers=[("X-A", "1"), ("x-a", "2")]).content,
            client.post(f"{url}/chunked", content=pieces()).content,
            client.put(url, json={"a": 1}).content,
            session.post(url, data=pieces(), headers={"X-Name": "\xe9"}).content,
            session.get(f"{url}/chunked", stream=True).raw.read(2),
            session.put(url, data=io.BytesIO(b"file" * 20_000)).content,
            pool.request("GET", f"{url}/chunked").data,
            urllib.request.urlopen(url, data=b"form=1").read(),
            asyncio.run(_aiohttp(url)),
        ]


async def _aiohttp(url: str) -> list[bytes]:
    async def later() -> Any:
        for piece in pieces():
            yield piece

    async with aiohttp.ClientSession() as session:
        given = []
        for making in (session.get(f"{url}/chunked"), session.post(url, data=later()), session.put(url, json=[1])):
            async with making as response:
                given.append(await response.read())
        return given


def test_r12_what_is_sent_is_byte_for_byte_what_is_sent_without_us(listener: Listener) -> None:
    listener.taken()
    without = requests_of(listener.url), listener.taken()
    with taps() as tape:
        recorded = requests_of(listener.url), listener.taken()
    assert recorded == without
    assert len(tape.captured) == len(recorded[1]) == 11
    assert all(captured.complete for captured in tape.captured)


INSIDES: list[tuple[Any, str]] = [
    *((calls, name) for name in ("begin",)),
    *((calls.Call, name) for name in ("take", "end", "stop", "fail", "close")),
    (Upload, "take"),
    *((module, "origin_of") for module in (core_tap, socket_tap, aiohttp_tap)),
    (core_tap, "has_body"),
    (aiohttp_tap, "carried"),
]


@pytest.mark.parametrize(("owner", "name"), INSIDES, ids=[f"{o.__name__}.{n}" for o, n in INSIDES])
def test_never_hurts_whatever_fails_inside_of_a_tap(
    owner: Any, name: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.taken()
    expected = requests_of(listener.url), listener.taken()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("inside")

    before = guard.failures["http"]
    with taps(strict=False):
        monkeypatch.setattr(owner, name, fail)
        assert (requests_of(listener.url), listener.taken()) == expected
    assert guard.failures["http"] > before or name == "fail"


def test_without_a_tape_and_after_the_taps_are_out_the_clients_are_as_they_were(listener: Listener) -> None:
    owners = (http.client.HTTPConnection, http.client.HTTPResponse, httpx.HTTPTransport, urllib3.HTTPConnectionPool)
    before = [dict(vars(owner)) for owner in owners]
    with taps():
        requests_of(listener.url)
    assert [dict(vars(owner)) for owner in owners] == before


def test_r39_files_stand_where_they_stood_and_are_not_read_ahead(listener: Listener, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100 + b"content")
    with taps() as tape, path.open("rb") as file:
        file.seek(100)
        requests.put(listener.url, data=file)
        assert file.tell() == 107
    assert tape.exchanges[0].request["body"] == b"content"


def test_a_large_upload_is_known_by_its_digest_and_a_large_answer_says_that_it_is_not_here(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with taps() as tape:
        monkeypatch.setattr(calls, "payload_max_bytes", 3)
        requests.post(listener.url, data=b"u" * (KEPT_MAX_BYTES + 1))
        httpx.get(listener.url)
    assert tape.exchanges[0].request["upload"]["size"] == KEPT_MAX_BYTES + 1  # type: ignore[call-overload,index]
    assert [each.dropped for each in tape.exchanges] == [{"reason": "limit"}] * 2


def test_the_tape_is_told_of_a_large_answer_when_it_begins_and_when_it_ends_and_not_with_each_piece(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, close = Counter[int](), ListTape.close

    def closing(tape: ListTape, captured: Captured, *others: Any, **more: Any) -> None:
        closed[captured.number] += 1
        close(tape, captured, *others, **more)

    async def over_aiohttp(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return len(await response.read())

    monkeypatch.setattr(ListTape, "close", closing)
    url = f"{listener.url}/large"
    with taps() as tape:
        sizes = [
            len(httpx.get(url).content),
            len(requests.get(url).content),
            len(urllib.request.urlopen(url).read()),
            asyncio.run(over_aiohttp(url)),
        ]
    assert sizes == [2 * MIB] * 4
    assert list(closed.values()) == [2] * 4
    assert [len(b"".join(each.result["body"])) for each in tape.exchanges] == sizes  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [0, 1, 10, 39, 50], ids=str)
def test_a_large_upload_is_the_same_however_its_head_is_cut_and_is_not_copied(cut: int) -> None:
    head, body = b"PUT /x HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n", b"u" * 3_000_000
    begin, cut = head + body[:100], cut or len(head)
    pieces_sent = (begin[:cut], begin[cut:], body[100:])
    upload = Upload(is_wire=True, marks=lambda: [2_000_000, 50])
    tracemalloc.start()
    for piece in pieces_sent:
        upload.take(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (upload.content(), upload.size, upload.head, upload.is_whole(0)) == (None, 3_000_000, head[:-4], True)
    assert upload.sha256 == hashlib.sha256(body).hexdigest()
    assert upload.prefixes == {size: hashlib.sha256(body[:size]).hexdigest() for size in (50, 2_000_000)}
    assert cut < len(head) or peak < 2_100_000  # of the first bytes, up to the mark


def test_r10_a_stream_that_is_dropped_unread_is_let_go_as_it_is_without_us(listener: Listener) -> None:
    with taps() as tape:
        client = httpx.Client()
        request = client.build_request("GET", f"{listener.url}/chunked")
        response = client.send(request, stream=True)
        gone = weakref.ref(response)
        del response
        gc.collect()
        assert gone() is None
        client.close()
        raw = requests.get(f"{listener.url}/chunked", stream=True)
        assert type(raw.raw._fp).__name__ == "HTTPResponse"
        raw.close()
    assert [each.result["ended"] for each in tape.exchanges][:1] == ["client"]


def test_requests_over_urllib3_over_http_client_is_one_exchange_also_under_instrumentors(listener: Listener) -> None:
    with taps() as tape, suppress_http_instrumentation():  # what OpenTelemetry's requests sets for urllib3
        requests.get(listener.url)
    assert [each.request["client"] for each in tape.exchanges] == ["http.client"]


def test_what_botocore_sends_is_left_to_its_own_driver(listener: Listener) -> None:
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "eu-west-1"}
    with taps() as tape:
        boto3.client("s3", endpoint_url=listener.url, **keys).get_object(Bucket="b", Key="k")
        httpx.get(listener.url)
    assert [each.request["client"] for each in tape.exchanges] == ["httpcore"]


def test_a_connection_that_is_not_made_is_an_exchange_of_its_own() -> None:
    closed = "http://127.0.0.1:9"
    with taps() as tape:
        for get in (requests.get, httpx.get, urllib.request.urlopen):
            with pytest.raises(Exception, match="refused"):
                get(closed)
    assert [each.type for each in tape.exchanges] == ["net.connect", "http.client", "net.connect"]
    assert all("refused" in repr(each.result["error"]) for each in tape.exchanges)
    assert body_of(tape.exchanges[1].request["path"]) == b"/"
