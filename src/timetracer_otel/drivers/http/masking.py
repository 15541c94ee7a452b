"""Secrets out of a request and its response, with everything mended that depends on what was masked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final, cast
from urllib.parse import quote, unquote_to_bytes

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.config import KIB
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.http.raw import masked_wire
from timetracer_otel.drivers.http.requests import body_of, codings, header, host_text, pairs, path_text
from timetracer_otel.redaction import Redactor

Paths = tuple[str, ...]
Headers = Sequence[Sequence[bytes]]
_DIGESTS: Final = frozenset((b"content-md5", b"digest", b"content-digest", b"repr-digest", b"stripe-signature"))
"""Headers that are true of one body only: one that was masked goes without them, but for a Content-MD5."""
SIGNATURE: Final = "signature"
SIGNATURES: Final = {b"sig": frozenset((b"sv", b"se")), b"Signature": frozenset((b"Key-Pair-Id",))}
"""Names of signatures where those stand beside them. Source: shared access signatures of Azure, CloudFront."""
BLOCK_BYTES: Final = 64 * KIB


def mask(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, Paths]:
    """The exchange with secrets masked, and the paths that hold a marker."""
    are_clean = _are_heads_clean(encoded.request, encoded.result, redactor)
    request, request_paths = _request(encoded.request, redactor, are_clean)
    result, result_paths = _result(encoded.result, redactor, are_clean and not request_paths)
    paths = request_paths + result_paths
    if not paths:
        return (encoded if request is encoded.request else replace(encoded, request=request)), ()
    return replace(encoded, url=host_text(request) + path_text(request), request=request, result=result), paths


def _are_heads_clean(request: Payload, result: Payload, redactor: Redactor) -> bool:
    """True if nothing is to be masked in headers, path and reason, as of most: they are not looked at one by one then.

    So it is until something is masked: then that is a secret wherever it stands.
    """
    path, reason = request.get("path"), result.get("reason")
    others = [path if isinstance(path, bytes) else b"", reason if isinstance(reason, bytes) else b""]
    return redactor.are_clean(_headers(request) + _headers(result), others)


def _headers(message: Payload) -> list[list[bytes]]:
    return cast("list[list[bytes]]", message.get("headers", []))  # they are of our codec's making


def _request(request: Payload, redactor: Redactor, is_clean: bool) -> tuple[Payload, Paths]:
    if "path" not in request:
        return request, ()
    masked, paths = _message(request, "request", redactor, is_clean)
    if "sent" in request:
        masked, begun_paths = _begun(masked, request, redactor)
        paths += begun_paths
    if is_clean and not paths and not request["query"]:
        return masked, paths
    path, old_path = redactor.data(body_of(request["path"])), body_of(request["path"])
    query, query_paths = redactor.query(body_of(request["query"]), "request.query")
    if (unsigned := _unsigned(query, redactor)) != query:
        query, query_paths = unsigned, (*query_paths, "request.query.signature")
    if path != old_path:
        query_paths = ("request.path", *query_paths)
    return ({**masked, "path": path, "query": query}, paths + query_paths) if query_paths else (masked, paths)


def _begun(masked: Payload, request: Payload, redactor: Redactor) -> tuple[Payload, Paths]:
    """A body that broke off is known by its digest, which could be tried out for a secret."""
    sent = body_of(request["sent"])
    is_plain = _masked_body(sent, pairs(request["headers"]), "request.body", redactor)[0] == sent
    kept = {name: value for name, value in masked.items() if name != "sent"}
    unsent = kept.get("unsent")
    if is_plain or not isinstance(unsent, dict):
        return kept, ()
    return {**kept, "unsent": {**unsent, "sha256": None}}, ("request.unsent",)


def _unsigned(query: bytes, redactor: Redactor) -> bytes:
    """Without the signature of an address that is a credential by itself; what the name says alone is too short."""
    fields = [field.partition(b"=") for field in query.split(b"&")]
    names = {name for name, _, _ in fields}
    signs = {sign for sign, others in SIGNATURES.items() if sign in names and others <= names}
    if not signs:
        return query
    marked = ((name, quote(redactor.marker(SIGNATURE, unquote_to_bytes(value))).encode()) for name, _, value in fields)
    masked = dict(pair for pair in marked if pair[0] in signs)
    return b"&".join(name + equals + (masked.get(name, value) if value else value) for name, equals, value in fields)


def _result(result: Payload, redactor: Redactor, is_clean: bool) -> tuple[Payload, Paths]:
    if "reads" in result:
        masked, paths = _wire(result, redactor)
    else:
        masked, paths = _message(result, "result", redactor, is_clean)
    reason = None if is_clean and not paths else result.get("reason")
    if isinstance(reason, bytes) and (new_reason := redactor.data(reason)) != reason:
        masked, paths = {**masked, "reason": new_reason}, (*paths, "result.reason")
    if "error" not in result:
        return masked, paths
    error, error_paths = redactor.value(result["error"], "result.error")
    return ({**masked, "error": error}, paths + error_paths) if error_paths else (masked, paths)


def _message(message: Payload, where: str, redactor: Redactor, is_clean: bool) -> tuple[Payload, Paths]:
    """Headers and body of one direction; `is_clean`: its headers are."""
    if "headers" not in message or (is_clean and not message.get("body")):
        return message, ()
    old_headers = _headers(message)
    headers, paths = (old_headers, ()) if is_clean else redactor.headers(old_headers, f"{where}.headers")
    if "body" not in message:
        return ({**message, "headers": headers}, paths) if paths else (message, ())
    old = body_of(message["body"])
    new, body_paths = _masked_body(old, old_headers, f"{where}.body", redactor) if old else (old, ())
    if new == old:
        return ({**message, "headers": headers}, paths) if paths else (message, ())
    kept = [[name, value] for name, value in mended(headers, old, new)]
    return {**message, "headers": kept, **_body(message, old, new)}, paths + body_paths


def _masked_body(body: bytes, headers: Headers, where: str, redactor: Redactor) -> tuple[bytes, Paths]:
    return redactor.body(body, header(headers, b"content-type"), codings(headers), where)


def _body(message: Payload, old: bytes, new: bytes) -> dict[str, Value]:
    body = message["body"]
    if not isinstance(body, (list, tuple)):
        return {"body": new}
    pieces = cut_as([body_of(piece) for piece in body], old, new)
    return {"body": pieces, **({"chunks": [len(piece) for piece in pieces if piece]} if "chunks" in message else {})}


def cut_as(pieces: Sequence[bytes], old: bytes, new: bytes) -> list[bytes]:
    """`new` in as many pieces as `old` was, cut at the same places outside of what was masked."""
    head = _common(old, new)
    rest = min(len(old), len(new)) - head
    tail = _common(old[len(old) - rest :][::-1], new[len(new) - rest :][::-1])
    ends = [_moved(end, head, len(old) - tail, len(new) - len(old)) for end in accumulate(map(len, pieces))]
    ends[-1] = len(new)
    return [new[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _common(one: bytes, other: bytes) -> int:
    """How many bytes both begin with, block by block: a large body is looked at once."""
    shortest, start = min(len(one), len(other)), 0
    while start < shortest and one[start : start + BLOCK_BYTES] == other[start : start + BLOCK_BYTES]:
        start += BLOCK_BYTES
    end = min(start + BLOCK_BYTES, shortest)
    return next((at for at in range(start, end) if one[at] != other[at]), end)


def _moved(end: int, head: int, tail_start: int, shift: int) -> int:
    return end if end <= head else end + shift if end >= tail_start else head


def mended(headers: Headers, old: bytes, new: bytes) -> Headers:
    """The headers of `old` for `new`."""
    found = ((name, _mended(name.lower(), value, old, new)) for name, value in headers)
    return [(name, value) for name, value in found if value is not None]


def _mended(name: bytes, value: bytes, old: bytes, new: bytes) -> bytes | None:
    if name == b"content-length":
        return str(max(0, int(value) + len(new) - len(old))).encode() if value.strip().isdigit() else value
    if name == b"content-md5":
        return _md5(new) if value.strip() == _md5(old) else None
    return None if name in _DIGESTS else value


def _md5(data: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest())


def _wire(result: Payload, redactor: Redactor) -> tuple[Payload, Paths]:
    """A response that does not come apart; in one read, if anything was masked."""
    old = body_of(result["reads"])
    new = masked_wire(old, redactor)
    return ({**result, "reads": [new]}, ("result.reads",)) if new != old else (result, ())
