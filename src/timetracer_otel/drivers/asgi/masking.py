"""Secrets out of an HTTP exchange, with everything mended that depends on what was masked: lengths, chunks, digests."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final, cast
from urllib.parse import quote

from timetracer_otel.cassette.model import Blob, Payload, Value
from timetracer_otel.drivers.asgi.body import begins_as_json
from timetracer_otel.drivers.asgi.content import BLOCK_BYTES, codings, common_start, header
from timetracer_otel.drivers.asgi.websocket.codec import redact_ends, redact_messages
from timetracer_otel.drivers.asgi.websocket.offers import redact_offers
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor, is_structured
from timetracer_otel.redaction.stream import WINDOW_BYTES

Paths = tuple[str, ...]

_FURTHER: Final = frozenset(("trailers", "exception", "messages", "close", "departure"))
"""Fields of an answer beside headers and body that may hold a secret."""
_DIGESTS: Final = (b"content-md5", b"digest", b"content-digest", b"repr-digest")
_ALGORITHMS: Final = {b"md5": "md5", b"sha": "sha1", b"sha-256": "sha256", b"sha-512": "sha512"}
_DIGEST: Final = re.compile(
    rb"(?P<name>md5|sha-256|sha-512|sha)=(?P<colon>:?)(?P<value>[A-Za-z0-9+/]+=*)", re.IGNORECASE
)


def redact(encoded: Encoded, redactor: Redactor) -> tuple[Encoded, Paths]:
    """The exchange with secrets masked, and the paths that hold a marker."""
    request, result, offer_paths = redact_offers(encoded.request, encoded.result, redactor)
    # Clean they are until something is masked: then that is a secret wherever it stands.
    are_clean = not offer_paths and _are_heads_clean(request, result, redactor)
    request, request_paths = _message(request, "request", redactor, are_clean)
    request, line_paths = _request_line(request, redactor, are_clean and not request_paths)
    result, result_paths = redact_result(result, redactor, are_clean and not (request_paths or line_paths))
    paths = line_paths + offer_paths + request_paths + result_paths
    if not paths:
        return encoded, ()
    return replace(encoded, url=str(request["path"]), request=request, result=result), paths


def _are_heads_clean(request: Payload, result: Payload, redactor: Redactor) -> bool:
    """True if nothing is to be masked in headers and path, as of most: they are not looked at one by one then."""
    pairs = [*cast("Sequence[Sequence[bytes]]", request["headers"])]
    pairs += cast("Sequence[Sequence[bytes]]", result.get("headers", ()))
    return redactor.are_clean(pairs, [str(request["path"]).encode("utf-8", "surrogatepass")])


def redact_result(result: Payload, redactor: Redactor, is_clean: bool = False) -> tuple[Payload, Paths]:
    """The answer alone, with secrets masked; and the paths of the markers that are new. `is_clean`: its headers are."""
    result, paths = _message(result, "result", redactor, is_clean)
    if _FURTHER.isdisjoint(result):
        return result, paths
    result, trailer_paths = _trailers(result, redactor)
    result, exception_paths = _exception(result, redactor)
    result, message_paths = redact_messages(result, redactor)
    result, end_paths = redact_ends(result, redactor)
    return result, paths + trailer_paths + exception_paths + message_paths + end_paths


def _request_line(request: Payload, redactor: Redactor, is_clean: bool) -> tuple[Payload, Paths]:
    """Query and path; `is_clean`: the path is."""
    if is_clean and not request["query_string"]:
        return request, ()
    query, paths = redactor.query(cast(bytes, request["query_string"]), "request.query_string")
    path = redactor.text(str(request["path"]))
    if path == request["path"]:
        return ({**request, "query_string": query}, paths) if paths else (request, ())
    # A marker ends a URL path unless it is encoded there; to the app it is one text, as the secret was.
    masked = {**request, "query_string": query, "path": path, "raw_path": quote(path, errors="replace").encode()}
    return masked, ("request.path", *paths)


def _exception(result: Payload, redactor: Redactor) -> tuple[Payload, Paths]:
    exception = result.get("exception")
    if not isinstance(exception, dict):
        return result, ()
    masked = {key: redactor.text(exception[key]) for key in ("message", "traceback") if key in exception}
    paths = tuple(f"result.exception.{key}" for key, text in masked.items() if text != exception[key])
    return ({**result, "exception": {**exception, **masked}}, paths) if paths else (result, ())


def _trailers(result: Payload, redactor: Redactor) -> tuple[Payload, Paths]:
    if "trailers" not in result:
        return result, ()
    trailers, paths = redactor.headers(cast("Sequence[Sequence[bytes]]", result["trailers"]), "result.trailers")
    return ({**result, "trailers": trailers}, paths) if paths else (result, ())


def _message(message: Payload, where: str, redactor: Redactor, is_clean: bool) -> tuple[Payload, Paths]:
    """Headers and body of one direction; `is_clean`: the headers are."""
    chunks = cast("Sequence[Sequence[Any]]", message.get("body", ()))
    if not message or (is_clean and not chunks):
        return message, ()
    old_headers = cast("Sequence[Sequence[bytes]]", message["headers"])
    headers: Sequence[Sequence[bytes]] = old_headers
    paths: Paths = ()
    if not is_clean:
        headers, paths = redactor.headers(old_headers, f"{where}.headers")
    if chunks and isinstance(chunks[0][1], Blob):
        return _with_stored_body({**message, "headers": headers}, paths, where)
    old = b"".join([chunk for _, chunk in chunks])
    new, body_paths = _body(old, old_headers, f"{where}.body", redactor) if old else (old, ())
    if new is old or new == old:
        return ({**message, "headers": headers}, paths) if paths else (message, ())
    masked: dict[str, Value] = {
        **message,
        "headers": [[name, mended(name, value, old, new)] for name, value in headers],
        "body": cut_as(chunks, old, new),
        "body_size": cast(int, message["body_size"]) + len(new) - len(old),
    }
    return masked, paths + body_paths


def _body(data: bytes, headers: Sequence[Sequence[bytes]], path: str, redactor: Redactor) -> tuple[bytes, Paths]:
    """A large one as it is masked on its way to disk: what replay makes must come out as what was recorded."""
    content_type, encoding = header(headers, "content-type"), codings(headers)
    if len(data) <= WINDOW_BYTES or is_structured(content_type, encoding) or begins_as_json(data):
        return redactor.body(data, content_type, encoding, path)
    scrubber = redactor.stream()
    pieces = [scrubber.feed(data[start : start + BLOCK_BYTES]) for start in range(0, len(data), BLOCK_BYTES)]
    masked = b"".join((*pieces, scrubber.end()))
    return (data, ()) if masked == data else (masked, (path,))


def _with_stored_body(message: Payload, paths: Paths, where: str) -> tuple[Payload, Paths]:
    """Such a body was masked on its way to disk; what tells is that it is not as long as it was."""
    chunks = cast("Sequence[tuple[int, Blob]]", message["body"])
    shift = sum(chunk.size for _, chunk in chunks) - cast(int, message["body_size"])
    if not shift:
        return message, paths
    headers = cast("Sequence[Sequence[bytes]]", message["headers"])
    masked: dict[str, Value] = {
        **message,
        "headers": [[name, _moved_length(name, value, shift)] for name, value in headers],
        "body_size": cast(int, message["body_size"]) + shift,
    }
    return masked, (*paths, f"{where}.body")


def cut_as(chunks: Sequence[Sequence[Any]], old: bytes, new: bytes) -> list[Value]:
    """`new` in as many chunks as `old` was, cut at the same places outside of what was masked."""
    head, tail = _common(old, new)
    ends = [
        _moved(end, head, len(old) - tail, len(new) - len(old)) for end in accumulate(len(chunk) for _, chunk in chunks)
    ]
    ends[-1] = len(new)
    return [[at, new[start:end]] for (at, _), start, end in zip(chunks, [0, *ends], ends, strict=False)]


def _moved(end: int, head: int, tail_start: int, shift: int) -> int:
    return end if end <= head else end + shift if end >= tail_start else head


def _common(old: bytes, new: bytes) -> tuple[int, int]:
    """Lengths of what both begin and end with, not overlapping."""
    head = common_start(old, new)
    rest = min(len(old), len(new)) - head
    return head, common_start(old[len(old) - rest :][::-1], new[len(new) - rest :][::-1])


def mended(name: bytes, value: bytes, old: bytes, new: bytes) -> bytes:
    lowered = name.lower()
    if lowered == b"content-length":
        return _moved_length(name, value, len(new) - len(old))
    if lowered == b"content-md5":
        return _encoded("md5", new) if value.strip() == _encoded("md5", old) else value
    if lowered in _DIGESTS:
        return _DIGEST.sub(lambda found: _digest(found, old, new), value)
    return value


def _moved_length(name: bytes, value: bytes, shift: int) -> bytes:
    """A Content-Length that goes with the body; any other header as it is."""
    is_length = name.lower() == b"content-length" and value.strip().isdigit()
    return str(max(0, int(value) + shift)).encode() if is_length else value


def _digest(found: re.Match[bytes], old: bytes, new: bytes) -> bytes:
    """The digest of the masked body; one that was wrong before stays wrong."""
    algorithm = _ALGORITHMS[found["name"].lower()]
    if found["value"] != _encoded(algorithm, old):
        return found[0]
    return found["name"] + b"=" + found["colon"] + _encoded(algorithm, new)


def _encoded(algorithm: str, data: bytes) -> bytes:
    return base64.b64encode(hashlib.new(algorithm, data, usedforsecurity=False).digest())
