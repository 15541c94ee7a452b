"""Parts -> JSON text, in the writer of a recording process: orjson is imported by the first call, not before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from timetracer_otel.cassette import quick, values
from timetracer_otel.cassette.blobs import INLINE_MAX_BYTES, Put, payload_mark
from timetracer_otel.cassette.document import (
    Document,
    environment_part_document,
    exchange_document,
    part_document,
)
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.cassette.part import EnvironmentPart, Part

DOCUMENT_DEPTH: Final = values.MAX_DEPTH + 10
"""Levels of a whole file: a payload of the greatest depth, inside its exchange, segment and bundle."""


def dump_part(part: Part, exchanges: Sequence[bytes] | None = None) -> bytes:
    """A part's file as JSON text, not compressed. Raises Unconvertible.

    `exchanges`, from `dump_exchange`, stand in for those of `part`: the caller has dropped what could not be encoded.
    """
    return b"".join(part_pieces(part, _texts(part.exchanges) if exchanges is None else exchanges))


def part_pieces(part: Part, exchanges: Sequence[bytes]) -> list[bytes]:
    """`dump_part` in pieces, for who need not have it in one: a large trace is not copied once more."""
    return _pieces(part_document(part), exchanges)


def dump_environment(part: EnvironmentPart, exchanges: Sequence[bytes] | None = None) -> bytes:
    """An environment's file as JSON text, not compressed; `exchanges` as in `dump_part`. Raises Unconvertible."""
    texts = _texts(part.exchanges) if exchanges is None else exchanges
    return b"".join(_pieces(environment_part_document(part), texts))


def dump_exchange(exchange: Exchange, is_plain: bool = False, put: Put | None = None) -> bytes:
    """An exchange as JSON text. Raises Unconvertible if a payload is no Value or is nested too deep.

    `is_plain`, as in `drivers.base.Encoded`: nothing in it needs a look. `put` stores the text of a request or result
    that is too large to stand here; without it all stands here.
    """
    document = exchange_document(exchange)
    if is_plain:
        text = quick.dumps_plain(document)
        if put is None or len(text) <= INLINE_MAX_BYTES:
            return text
    texts = quick.payload_texts(document, ("request", "result", "dropped"))
    if put is not None:
        texts |= {name: _stored(texts[name], put) for name in ("request", "result")}
    return quick.dumps_around(document, texts)


def _stored(text: bytes, put: Put) -> bytes:
    """The text, or if it is too large the mark that says where it went."""
    return text if len(text) <= INLINE_MAX_BYTES else quick.dumps_strictly(payload_mark(put(text), len(text)))


def _texts(exchanges: Iterable[Exchange]) -> list[bytes]:
    return [dump_exchange(exchange) for exchange in exchanges]


def _pieces(document: Document, exchanges: Sequence[bytes]) -> list[bytes]:
    head = _head(document).removesuffix(b"}")
    pieces = [head, b',"exchanges":[']
    for exchange in exchanges:
        pieces += (exchange, b",")
    if exchanges:
        pieces.pop()
    pieces.append(b"]}")
    return pieces


def _head(document: Document) -> bytes:
    """A document without exchanges. All names in it are ours but those of attributes, packages and settings."""
    data: dict[str, Any] = dict(document)
    for name in ("resource", "dropped"):
        if name in data:
            data[name] = quick.plain(data[name])
    data["process"] = _with_plain(data["process"], "packages")
    data["connections"] = [_with_plain(each, "parameters") for each in data["connections"]]
    if "spans" in data:
        data["spans"] = [_span(span) for span in data["spans"]]
    try:
        return quick.dumps_strictly(data)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits
        return values.dumps(document, DOCUMENT_DEPTH)


def _span(span: dict[str, Any]) -> dict[str, Any]:
    marked = _with_plain(span, "attributes")
    for name in ("events", "links"):
        if span[name]:
            marked[name] = [_with_plain(each, "attributes") for each in span[name]]
    return marked


def _with_plain(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {**data, name: quick.plain(data[name])}
