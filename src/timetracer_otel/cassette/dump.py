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
from timetracer_otel.cassette.model import Exchange, Payload, Process, Span, Value
from timetracer_otel.cassette.part import EnvironmentPart, Part

_DEPTH: Final = values.DOCUMENT_DEPTH
_BESIDE: Final = frozenset(("request", "result"))
"""Payloads that may be too large to stand in a part."""


def dump_part(part: Part, exchanges: Sequence[bytes] | None = None) -> bytes:
    """A part's file as JSON text, not compressed. Raises Unconvertible.

    `exchanges`, from `dump_exchange`, stand in for those of `part`: the caller has dropped what could not be encoded.
    """
    return b"".join(part_pieces(part, _texts(part.exchanges) if exchanges is None else exchanges))


def part_pieces(part: Part, exchanges: Sequence[bytes], texts: Mapping[str, bytes] | None = None) -> list[bytes]:
    """`dump_part` in pieces, for who need not have it in one: a large trace is not copied once more.

    `texts` stand in for fields of `part`: `spans` from `dump_spans`, `process` and `resource` from the functions of
    those names.
    """
    return _pieces(_around(part_document(part), texts or {}), exchanges)


def dump_process(process: Process) -> bytes:
    """The JSON text of a process, which is the same in all its parts."""
    return _field("process", process_document(process))


def dump_resource(resource: Payload) -> bytes:
    """The JSON text of a resource, which is the same in many parts. Raises Unconvertible."""
    return _field("resource", resource)


def dump_spans(spans: Sequence[Span]) -> bytes:
    """The JSON array of spans. Raises Unconvertible."""
    try:
        return dump_plain_spans(list(map(plain_span, spans)))
    except TypeError:  # a lone surrogate, an integer beyond 64 bits
        return values.dumps([span_document(span) for span in spans], _DEPTH)


def dump_plain_spans(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """The JSON array of spans, each from `plain_span`, or of `span_document` and known to be plain: none is checked.

    Raises TypeError for what needs `dump_spans`.
    """
    return quick.dumps_strictly(documents)


def plain_span(span: Span) -> dict[str, Any]:
    """The document of a span, with the text in place of what is not plain. Raises Unconvertible."""
    return _span(span_document(span))


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
    holes = [name for name in document if name in texts]
    first, *others = _head(document, holes).split(quick.HOLE)
    pieces = [first]
    for name, after in zip(holes, others, strict=True):
        pieces += (texts[name], after)
    return pieces


def _field(name: str, value: Value) -> bytes:
    return _head({name: value}).removeprefix(b'{"%b":' % name.encode()).removesuffix(b"}")


def _pieces(head: Sequence[bytes], exchanges: Sequence[bytes]) -> list[bytes]:
    pieces = [*head[:-1], head[-1].removesuffix(b"}"), b',"exchanges":[']
    for exchange in exchanges:
        pieces += (exchange, b",")
    if exchanges:
        pieces.pop()
    pieces.append(b"]}")
    return pieces


def _head(document: Document, holes: Sequence[str] = ()) -> bytes:
    """A document without exchanges, with a hole in place of these fields.

    All names in it are ours but those of attributes, packages and settings.
    """
    data: dict[str, Any] = dict(document)
    for name in ("resource", "dropped"):
        if name in data and name not in holes:
            data[name] = quick.plain(data[name])
    if "connections" in data:
        data["connections"] = [_with_plain(each, "parameters") for each in data["connections"]]
    if "process" in data and "process" not in holes:
        data["process"] = _with_plain(_with_plain(data["process"], "packages"), "variables")
    if "spans" in data and "spans" not in holes:
        data["spans"] = [_span(span) for span in data["spans"]]
    filled = dict.fromkeys(holes, quick.hole())
    try:
        return quick.dumps_strictly({**data, **filled})
    except TypeError:  # a lone surrogate, an integer beyond 64 bits
        rest: Any = values.encode({name: each for name, each in document.items() if name not in filled}, _DEPTH)
        return quick.dumps_strictly({**document, **rest, **filled})


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
