"""A recorded request with other text in place of its markers: lengths, chunks and digests go with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from timetracer_otel.cassette.model import Exchange, Payload, Value
from timetracer_otel.drivers.asgi.content import codings
from timetracer_otel.drivers.asgi.masking import cut_as, mended
from timetracer_otel.drivers.asgi.websocket.codec import is_conversation, messages_of
from timetracer_otel.drivers.base import Put
from timetracer_otel.drivers.markers import is_json, put_into
from timetracer_otel.redaction.codings import Undecodable, codings_of, decode, encode


def supplied(exchange: Exchange, put: Put) -> Exchange:
    """As `EntryDriver.supplied`. A body that lies in a file of its own stays as it is."""
    request = _request(exchange.request, put)
    result = _said(exchange.result, put) if is_conversation(exchange.request) else exchange.result
    is_same = request is exchange.request and result is exchange.result
    return exchange if is_same else replace(exchange, request=request, result=result)


def _request(request: Payload, put: Put) -> Payload:
    head = {name: value for name, value in request.items() if name != "body"}
    masked = cast(Payload, put_into(head, put))
    body = _body(request, put)
    if masked is head and body is None:
        return request
    if body is None:
        return {**request, **masked}
    old, new = body
    headers = [[name, mended(name, value, old, new)] for name, value in cast("list[list[bytes]]", masked["headers"])]
    chunks = cut_as(cast("Sequence[Sequence[Any]]", request["body"]), old, new)
    size = cast(int, request["body_size"]) + len(new) - len(old)
    return {**request, **masked, "headers": cast("list[Value]", headers), "body": chunks, "body_size": size}


def _body(request: Payload, put: Put) -> tuple[bytes, bytes] | None:
    """As it was recorded and as it is now; None where that is the same."""
    chunks = cast("Sequence[Sequence[Any]]", request.get("body", ()))
    if not chunks or not all(isinstance(chunk, bytes) for _, chunk in chunks):
        return None
    old = b"".join(chunk for _, chunk in chunks)
    new = _put_inside(old, codings_of(codings(cast("Sequence[Sequence[bytes]]", request["headers"]))), put)
    return None if new == old else (old, new)


def _put_inside(body: bytes, coded: tuple[str, ...], put: Put) -> bytes:
    """Of a body in the codings of its headers; as it is where nobody can look into it."""
    try:
        inside = decode(body, coded) if coded and body else None
    except Undecodable:
        return body
    if inside is None:
        return put(body, is_json(body))
    new = put(inside, is_json(inside))
    return body if new == inside else encode(new, coded)


def _said(result: Payload, put: Put) -> Payload:
    """What the client of a WebSocket said."""
    said = messages_of(result)
    messages = [put_into(each, put) if each[1] == "client" else each for each in said]
    is_same = all(new is old for new, old in zip(messages, said, strict=True))
    return result if is_same else {**result, "messages": cast("list[Value]", messages)}
