"""Parts -> JSON text, in the writer of a recording process: orjson is imported by the first call, not before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from timetracer_otel.cassette import quick, values
from timetracer_otel.cassette.blobs import INLINE_MAX_BYTES, Put, payload_mark
from timetracer_otel.cassette.document import (
    Document,
    environment_part_document,
    exchange_document,
    part_document,
    process_document,
    span_document,
)
from timetracer_otel.cassette.model import Exchange, Process, Span
from timetracer_otel.cassette.part import EnvironmentPart, Part

_BESIDE: Final = frozenset(("request", "result"))
"""Payloads that may be too large to stand in a part."""


def dump_part(part: Part, exchanges: Sequence[bytes] | None = None) -> bytes:
    """A part's file as JSON text, not compressed. Raises Unconvertible.

    `exchanges`, from `dump_exchange`, stand in for those of `part`: the caller has dropped what could not be encoded.
    """
    return b"".join(part_pieces(part, _texts(part.exchanges) if exchanges is None else exchanges))


def part_pieces(
    part: Part, exchanges: Sequence[bytes], spans: bytes | None = None, process: bytes | None = None
) -> list[bytes]:
    """`dump_part` in pieces, for who need not have it in one: a large trace is not copied once more.

    `spans`, from `dump_spans`, stand in for those of `part`, and `process`, from `dump_process`, for its process.
    """
    texts = {name: text for name, text in (("spans", spans), ("process", process)) if text is not None}
    return _pieces(_around(part_document(part), texts), exchanges)


def dump_process(process: Process) -> bytes:
    """The JSON text of a process, which is the same in all its parts."""
    return _head({"process": process_document(process)}).removeprefix(b'{"process":').removesuffix(b"}")


def dump_spans(spans: Sequence[Span | Document]) -> bytes:
    """The JSON array of spans. A Document is one of `span_document`, known to be plain: it is not checked.

    Raises Unconvertible; TypeError if a Document needs more than orjson does.
    """
    documents = [_span(span_document(span)) if isinstance(span, Span) else span for span in spans]
    try:
        return quick.dumps_strictly(documents)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits
        if not all(isinstance(span, Span) for span in spans):
            raise
        exact = [span_document(span) for span in spans if isinstance(span, Span)]
        return values.dumps(exact, values.DOCUMENT_DEPTH)


def dump_environment(part: EnvironmentPart, exchanges: Sequence[bytes] | None = None) -> bytes:
    """An environment's file as JSON text, not compressed; `exchanges` as in `dump_part`. Raises Unconvertible."""
    texts = _texts(part.exchanges) if exchanges is None else exchanges
    return b"".join(_pieces([_head(environment_part_document(part))], texts))


def dump_exchange(exchange: Exchange, is_plain: bool = False, put: Put | None = None) -> bytes:
    """An exchange as JSON text. Raises Unconvertible if a payload is no Value or is nested too deep.

    `is_plain`, as in `drivers.base.Encoded`: nothing in it needs a look. `put` stores the text of a request or result
    that is too large to stand here; without it all stands here.
    """
    document = exchange_document(exchange)
    if is_plain:
        text = quick.dumps_plain(document) if put is None else quick.dumps_inline(document, INLINE_MAX_BYTES)
        if text is not None:
            return text
    pieces = quick.payload_pieces(document, ("request", "result", "dropped"), is_plain)
    texts = {name: _stored(each, put if name in _BESIDE else None) for name, each in pieces.items()}
    return quick.dumps_around(document, texts)


def _stored(pieces: Sequence[bytes], put: Put | None) -> bytes:
    """The text, or if it is too large the mark that says where `put` took it."""
    size = sum(map(len, pieces))
    if put is None or size <= INLINE_MAX_BYTES:
        return b"".join(pieces)
    return quick.dumps_strictly(payload_mark(put(pieces), size))


def _texts(exchanges: Iterable[Exchange]) -> list[bytes]:
    return [dump_exchange(exchange) for exchange in exchanges]


def _around(document: Document, texts: Mapping[str, bytes]) -> list[bytes]:
    """The document as JSON text in pieces, with these texts in place of the fields of their names."""
    pieces, others = [b"{"], Document()
    for name, value in document.items():
        if name not in texts:
            others[name] = value
            continue
        if others:
            pieces += (_head(others)[1:-1], b",")
            others = Document()
        pieces += (b'"%b":' % name.encode(), texts[name], b",")
    if others:
        pieces.append(_head(others)[1:])
    else:
        pieces[-1] = b"}"
    return pieces


def _pieces(head: Sequence[bytes], exchanges: Sequence[bytes]) -> list[bytes]:
    pieces = [*head[:-1], head[-1].removesuffix(b"}"), b',"exchanges":[']
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
    if "process" in data:
        data["process"] = _with_plain(_with_plain(data["process"], "packages"), "variables")
    if "connections" in data:
        data["connections"] = [_with_plain(each, "parameters") for each in data["connections"]]
    if "spans" in data:
        data["spans"] = [_span(span) for span in data["spans"]]
    try:
        return quick.dumps_strictly(data)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits
        return values.dumps(document, values.DOCUMENT_DEPTH)


def _span(span: dict[str, Any]) -> dict[str, Any]:
    marked = _with_plain(span, "attributes")
    for name in ("events", "links"):
        if span[name]:
            marked[name] = [_with_plain(each, "attributes") for each in span[name]]
    for name in ("scope_attributes", "dropped"):
        if name in span:
            marked[name] = quick.plain(span[name])
    return marked


def _with_plain(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {**data, name: quick.plain(data[name])}
