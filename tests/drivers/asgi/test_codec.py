from __future__ import annotations

import base64
import gzip
import hashlib
import json
from itertools import accumulate, pairwise
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drivers.asgi.parts import Message, exchange_of, http_scope
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette import values
from timetracer_otel.drivers.asgi.body import Body
from timetracer_otel.drivers.asgi.codec import CODEC
from timetracer_otel.drivers.asgi.heard import HeardException, HeardRequest, HeardResponse
from timetracer_otel.redaction import Redactor, is_marker

Pairs = list[tuple[bytes, bytes]]


def captured(
    scope: Message | None = None,
    chunks: tuple[bytes, ...] = (),
    headers: Pairs | None = None,
    answer: tuple[bytes, ...] = (),
    answer_headers: Pairs | None = None,
    error: Exception | None = None,
) -> Captured:
    scope = scope or http_scope()
    one = Captured("asgi", HeardRequest({**scope, "headers": headers or []}, (None,), 10**6))
    assert isinstance(one.request, HeardRequest)
    hear(one.request.body, chunks)
    response = HeardResponse(one.request.started_ns, 10**6)
    if error is None:
        response.start({"status": 200, "headers": answer_headers or []})
        hear(response.body, answer or (b"",))
    else:
        response.exception = HeardException(error, None, str(error))
    one.result, one.complete = response, True
    return one


def hear(body: Body, chunks: tuple[bytes, ...]) -> None:
    for chunk in chunks:
        body.hear(chunk)
    if chunks:
        body.end()


def redacted(one: Captured) -> Any:
    return exchange_of(one, Redactor())


def body_of(message: Any) -> bytes:
    return b"".join(chunk for _, chunk in message["body"])


def headers_of(message: Any) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in message["headers"]}


def every_byte(exchange: Any) -> bytes:
    return values.dumps([exchange.request, exchange.result, exchange.signature.url])


# ---- shape -----------------------------------------------------------------------------------------------------------


def test_an_exchange_has_the_documented_fields() -> None:
    exchange = exchange_of(captured(chunks=(b"a", b"b"), answer=(b"c",)))
    assert (exchange.type, exchange.signature.lib) == ("http.server", "asgi")
    assert (exchange.signature.method, exchange.signature.url) == ("GET", "/")
    assert set(exchange.request) == {
        *("type", "method", "scheme", "http_version", "spec_version", "path", "raw_path", "query_string", "root_path"),
        *("headers", "client", "server", "body", "body_size", "ended", "app"),
    }
    assert set(exchange.result) == {"status", "headers", "body", "body_size", "ended"}
    assert exchange.request["client"] == ["127.0.0.1", 40000]
    assert values.decode(json.loads(values.dumps(exchange.request))) == exchange.request
    assert values.decode(json.loads(values.dumps(exchange.result))) == exchange.result


def test_an_exchange_that_is_still_open_has_its_request_and_no_result() -> None:
    one = captured(chunks=(b"a",))
    one.result = None
    assert exchange_of(one).result == {}
    assert redacted(one).request["body_size"] == 1


def test_a_router_above_the_tap_does_not_change_the_root_path_of_an_app_that_the_server_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scope = http_scope("/sub/x", root_path="/sub", app_root_path="")
    assert exchange_of(captured(scope)).request["root_path"] == "/sub"
    monkeypatch.setattr("sys.argv", ["uvicorn", "tests.drivers.asgi.test_codec:captured"])
    assert exchange_of(captured(scope)).request["root_path"] == ""


def test_the_traceback_is_bounded_and_keeps_its_end() -> None:
    error = ValueError("x" * 200_000 + "the end")
    exception: Any = exchange_of(captured(error=error)).result["exception"]
    assert len(exception["message"]) < 70_000
    assert len(exception["traceback"]) < 70_000
    assert exception["traceback"].endswith("the end\n")


# ---- R46: both directions, any case ----------------------------------------------------------------------------------

SECRETS = ("s3cr3t-one", "s3cr3t-two", "s3cr3t-three", "s3cr3t-four", "s3cr3t-five", "s3cr3t-six")


@pytest.mark.parametrize("direction", ["request", "result"])
@pytest.mark.parametrize("name", [b"authorization", b"COOKIE", b"Set-Cookie", b"X-Api-Key", b"proxy-authorization"])
def test_r46_secret_headers_are_masked_in_both_directions_and_any_case(direction: str, name: bytes) -> None:
    pairs = [(name, b"sid=s3cr3t-one"), (b"x-plain", b"stays")]
    one = captured(headers=pairs) if direction == "request" else captured(answer_headers=pairs)
    exchange = redacted(one)
    assert b"s3cr3t" not in every_byte(exchange)
    message = getattr(exchange, direction)
    assert [pair[0] for pair in message["headers"]] == [name, b"x-plain"]
    assert message["headers"][1][1] == b"stays"
    assert exchange.redacted == (f"{direction}.headers.{name.decode().lower()}",)


def test_r46_query_form_and_json_are_masked_and_structure_stays() -> None:
    scope = http_scope(query_string=b"api_key=s3cr3t-one&page=2&NextToken=kept")
    form = captured(
        scope, (b"user=me&password=s3cr3t-two",), [(b"content-type", b"application/x-www-form-urlencoded")],
        (b'{"user": {"Token": "s3cr3t-three", "name": "me"}}',), [(b"Content-Type", b"application/json")],
    )  # fmt: skip
    exchange = redacted(form)
    assert b"s3cr3t" not in every_byte(exchange)
    assert b"&page=2&NextToken=kept" in exchange.request["query_string"]
    fields = parse_qs(body_of(exchange.request).decode())
    assert fields["user"] == ["me"]
    assert is_marker(fields["password"][0])
    user = json.loads(body_of(exchange.result))["user"]
    assert user["name"] == "me"
    assert is_marker(user["Token"])


@pytest.mark.parametrize("tells", ["query", "body"])
def test_r46_what_the_request_gives_away_is_masked_in_heads_that_give_nothing_away(tells: str) -> None:
    given, secret = b"password=", b"s3cr3t-that-is-long-enough"
    scope = http_scope(path="/of/" + secret.decode(), query_string=given + secret if tells == "query" else b"")
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    one = captured(
        scope, (given + secret,) if tells == "body" else (), form, (b"fine",), [(b"location", b"/next/" + secret)]
    )
    exchange = exchange_of(one, Redactor().of_trace())
    assert b"s3cr3t" not in every_byte(exchange)
    assert {"request.path", "result.headers.location"} <= set(exchange.redacted)


def test_r46_an_exception_that_names_a_secret_is_masked() -> None:
    error = ValueError("cannot connect to postgresql://app:s3cr3t-one@db/shop")
    exchange = redacted(captured(error=error))
    assert b"s3cr3t" not in every_byte(exchange)
    assert "result.exception.message" in exchange.redacted


def test_an_exchange_without_secrets_is_left_as_it_is() -> None:
    encoded = CODEC.encode(captured(chunks=(b"plain",), answer=(b"text",)))
    same, paths = CODEC.redact(encoded, Redactor())
    assert same is encoded
    assert paths == ()


def test_redaction_twice_is_redaction_once() -> None:
    form = [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"15")]
    encoded, _ = CODEC.redact(CODEC.encode(captured(chunks=(b"password=s3cr3t",), headers=form)), Redactor())
    again, _ = CODEC.redact(encoded, Redactor())
    assert again == encoded


# ---- R47: lengths, checksums, chunks ---------------------------------------------------------------------------------

JSON = b'{"id": 1, "password": "s3cr3t-one", "note": "kept"}'


def masked_json(encoding: bytes = b"", data: bytes = JSON, **headers: bytes) -> Any:
    pairs = [(b"content-type", b"application/json"), (b"Content-Length", b"%d" % len(data))]
    pairs += [(b"content-encoding", encoding)] if encoding else []
    pairs += [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return redacted(captured(chunks=(data,), headers=pairs)).request


def test_r47_the_content_length_follows_the_masked_body() -> None:
    request = masked_json()
    body = body_of(request)
    assert headers_of(request)[b"content-length"] == b"%d" % len(body)
    assert request["body_size"] == len(body)
    assert json.loads(body)["note"] == "kept"


def test_r47_a_gzip_body_is_masked_inside_and_still_unpacks() -> None:
    request = masked_json(b"gzip", gzip.compress(JSON))
    assert is_marker(json.loads(gzip.decompress(body_of(request)))["password"])
    assert headers_of(request)[b"content-length"] == b"%d" % len(body_of(request))


def digest(name: str, data: bytes) -> bytes:
    return base64.b64encode(hashlib.new(name, data).digest())


def test_r47_digests_of_the_body_are_computed_again() -> None:
    request = masked_json(
        content_md5=digest("md5", JSON),
        digest=b"SHA-256=" + digest("sha256", JSON),
        content_digest=b"sha-512=:" + digest("sha512", JSON) + b":",
    )
    body, headers = body_of(request), headers_of(request)
    assert headers[b"content-md5"] == digest("md5", body)
    assert headers[b"digest"] == b"SHA-256=" + digest("sha256", body)
    assert headers[b"content-digest"] == b"sha-512=:" + digest("sha512", body) + b":"


def test_r47_a_digest_that_was_wrong_stays_wrong() -> None:
    wrong = b"SHA-256=" + digest("sha256", b"another body")
    assert headers_of(masked_json(digest=wrong))[b"digest"] == wrong


@pytest.mark.parametrize("body", [b"", b"a=\xff\x00=b", b'{"password": "cut off', b"\x1f\x8b not gzip"])
@pytest.mark.parametrize("kind", [b"application/json", b"application/x-www-form-urlencoded", b"image/png", b""])
@pytest.mark.parametrize("encoding", [b"", b"gzip", b"br"])
def test_r47_no_body_breaks_redaction(body: bytes, kind: bytes, encoding: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-encoding", encoding), (b"content-length", b"no number")]
    exchange = redacted(captured(chunks=(body,), headers=headers, answer=(body,), answer_headers=headers))
    assert headers_of(exchange.request)[b"content-length"] == b"no number"


@given(st.lists(st.integers(0, len(JSON)), max_size=5))
def test_chunks_outside_of_what_was_masked_stay_where_they_were(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(JSON)]
    pieces = tuple(JSON[start:end] for start, end in pairwise(ends) if end > start)
    request = redacted(captured(chunks=pieces, headers=[(b"content-type", b"application/json")])).request
    chunks = [chunk for _, chunk in request["body"]]
    assert len(chunks) == len(pieces)
    masked, secret_start = b"".join(chunks), JSON.index(b"s3cr3t")
    assert json.loads(masked)["note"] == "kept"
    new_ends, old_ends = list(accumulate(map(len, chunks))), list(accumulate(map(len, pieces)))
    for new, old in zip(new_ends, old_ends, strict=True):
        if old <= secret_start:
            assert new == old
        if old >= secret_start + len("s3cr3t-one"):
            assert new - old == len(masked) - len(JSON)
