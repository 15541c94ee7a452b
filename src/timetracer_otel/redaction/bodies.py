"""One body of an HTTP message, masked by what it is."""

from __future__ import annotations

import json
import re
from typing import Final

from timetracer_otel.redaction.codings import Undecodable, codings_of, decode, encode
from timetracer_otel.redaction.forms import redact_form
from timetracer_otel.redaction.json_text import redact_json
from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.multipart import boundary_of, redact_multipart
from timetracer_otel.redaction.patterns import scrub

_JSON: Final = re.compile(r"[\w.+-]+/(?:[\w.+-]*[+-])?(?:json|ndjson|jsonl|jsonlines)(?:-[\w.-]+)?")
_WIDE_CHARSET: Final = re.compile(r"charset\s*=\s*\"?(utf-?(?:16|32)(?:-?[lb]e)?)", re.IGNORECASE)

Hit = tuple[bytes, tuple[str, ...]]


def redact_body(data: bytes, content_type: str, content_encoding: str, path: str, mark: Mark) -> Hit:
    """`data` masked and the paths that hold a marker; the same object when nothing hits.

    A body in a coding that nobody here can undo is masked as a whole: it cannot be said that it holds no secret.
    """
    codings = codings_of(content_encoding)
    if not data or not codings:
        return _redact_plain(data, content_type, path, mark)
    try:
        decoded = decode(data, codings)
    except Undecodable:
        return _redact_opaque(data, path, mark)
    if decoded is None:  # the header lies
        return _redact_plain(data, content_type, path, mark)
    masked, paths = _redact_plain(decoded, content_type, path, mark)
    return (data, ()) if masked is decoded else (encode(masked, codings), paths)


def _redact_opaque(data: bytes, path: str, mark: Mark) -> Hit:
    masked = mark("unredactable", data)
    return (data, ()) if masked == data else (masked, (path,))


def _redact_plain(data: bytes, content_type: str, path: str, mark: Mark) -> Hit:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("multipart/") and (boundary := boundary_of(content_type)):
        return redact_multipart(
            data, boundary, path, mark, lambda part, kind, where: _redact_part(part, kind, where, mark)
        )
    if wide := _wide_encoding(data, content_type, media_type):
        return _redact_wide(data, wide, media_type, path, mark)
    return _redact_narrow(data, media_type, path, mark)


def _redact_part(data: bytes, content_type: str, path: str, mark: Mark) -> Hit:
    """A part that is multipart itself is scrubbed as bytes: depth is a sender's choice, and ours is bounded."""
    return _redact_narrow(data, content_type.partition(";")[0].strip().lower(), path, mark)


def _redact_narrow(data: bytes, media_type: str, path: str, mark: Mark) -> Hit:
    if media_type == "application/x-www-form-urlencoded":
        return redact_form(data, path, mark)
    if _JSON.fullmatch(media_type) or data.lstrip()[:1] in (b"{", b"["):  # JSON is often sent as text/plain
        return redact_json(data, path, mark)
    masked = scrub(data, mark)
    return masked, (() if masked is data else (path,))


def _wide_encoding(data: bytes, content_type: str, media_type: str) -> str | None:
    if named := _WIDE_CHARSET.search(content_type):
        return named[1]
    if _JSON.fullmatch(media_type) and b"\0" in data[:4]:  # RFC 4627, section 3
        return json.detect_encoding(data)
    return None


def _redact_wide(data: bytes, encoding: str, media_type: str, path: str, mark: Mark) -> Hit:
    try:
        narrow = data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # cut off inside a character
        return _redact_narrow(data, media_type, path, mark)
    masked, paths = _redact_narrow(narrow, media_type, path, mark)
    return (
        (data, ())
        if masked is narrow
        else (masked.decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass"), paths)
    )
