"""A recorded response as HTTP/1.1 over the wire, whichever client recorded it."""

from __future__ import annotations

from collections.abc import Sequence
from http.client import responses

from timetracer_otel.drivers.http.asking import Answer
from timetracer_otel.drivers.http.framing import Response, wire_of
from timetracer_otel.drivers.http.requests import header


def reads_of(answer: Answer) -> list[bytes]:
    """What a client is to read, one item a read; empty where nothing came."""
    if not answer.has_head:
        return [read for read in answer.reads if read]
    is_old = answer.version in (b"HTTP/1.0", b"HTTP/1.1")
    reason = answer.reason
    made = Response(
        version=answer.version if is_old else b"HTTP/1.1",
        status=answer.status,
        reason=responses.get(answer.status, "").encode() if reason is None else reason,
        headers=answer.headers,
        pieces=answer.pieces,
        chunks=_chunks(answer),
        is_complete=answer.ended == "complete",
    )
    return [read for read in wire_of(made) if read]


def _chunks(answer: Answer) -> Sequence[int] | None:
    """Where another client recorded it, each piece becomes a chunk."""
    if answer.chunks is not None:
        return answer.chunks
    is_chunked = header(answer.headers, b"transfer-encoding").strip().lower() == "chunked"
    return [len(piece) for piece in answer.pieces if piece] if is_chunked else None
