"""One body of an HTTP message, masked by what it is."""

from __future__ import annotations

import codecs
import json
from typing import Final

from timetracer_otel.config import MIB
from timetracer_otel.redaction.codings import Undecodable, coding_of, codings_of, decode, encode, unpacked
from timetracer_otel.redaction.forms import redact_form
from timetracer_otel.redaction.json_places import redact_json_places
from timetracer_otel.redaction.json_text import redact_json
from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.multipart import boundary_of, redact_multipart
from timetracer_otel.redaction.structured import BEGINS_AS_JSON, JSON, WIDE_CHARSET, is_form, media_type_of

Hit = tuple[bytes, tuple[str, ...]]
_MULTIPART_DEPTH: Final = 4
ARCHIVE_MAX_BYTES: Final = 16 * MIB
"""Of what is compressed without a word, and of what is in it."""
# That of UTF-32 first: it begins with one of UTF-16.
_WIDE_MARKS: Final = (
    *((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
    *((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
)
_ANY_WIDE_MARK: Final = tuple(mark for mark, _ in _WIDE_MARKS)


def redact_body(data: bytes, content_type: str, content_encoding: str, path: str, masker: Masker) -> Hit:
    """`data` masked and the paths that hold a marker; the same object when nothing hits.

    A body in a coding that nobody here can undo is masked as a whole: it cannot be said that it holds no secret.
    """
    if not data:
        return data, ()
    rule = masker.rule_at(path) if masker.has_places else None
    if rule is not None:
        return _whole(data, rule, path, masker)
    codings = codings_of(content_encoding) if content_encoding else ()
    if not codings:
        return _redact_uncoded(data, content_type, path, masker)
    try:
        decoded = decode(data, codings)
    except Undecodable:
        return _whole(data, "unredactable", path, masker)
    if decoded is None:  # the header lies
        return _redact_plain(data, content_type, path, masker)
    masked, paths = _redact_plain(decoded, content_type, path, masker)
    return (data, ()) if masked is decoded else (encode(masked, codings), paths)


def _redact_uncoded(data: bytes, content_type: str, path: str, masker: Masker) -> Hit:
    """It may be compressed, and no header says so: a file, which stays as it is where nobody can look into it."""
    coding = coding_of(data)
    decoded = unpacked(data, coding, ARCHIVE_MAX_BYTES) if coding is not None else None
    if coding is None or not decoded:
        return _redact_plain(data, content_type, path, masker)
    masked, paths = _redact_plain(decoded, content_type, path, masker)
    return (data, ()) if masked is decoded else (encode(masked, (coding,)), paths)


def scrub_suspicious(data: bytes, masker: Masker) -> bytes:
    """A value of which nothing is said and that `suspicious` is true of: unpacked, masked and packed again, as a body
    is, where it is compressed; else by pattern."""
    if coding_of(data) is not None:
        return redact_body(data, "", "", "", masker)[0]
    return masker.scrub(data)


def _whole(data: bytes, rule: str, path: str, masker: Masker) -> Hit:
    masked = masker.mark(rule, data)
    return (data, ()) if masked == data else (masked, (path,))


def _redact_plain(data: bytes, content_type: str, path: str, masker: Masker, depth: int = 0) -> Hit:
    media_type = media_type_of(content_type)
    if media_type.startswith("multipart/") and (boundary := boundary_of(content_type)):
        if depth == _MULTIPART_DEPTH:  # it is a sender's choice, and ours is bounded
            return _whole(data, "unredactable", path, masker)
        return redact_multipart(
            data,
            boundary,
            path,
            masker,
            lambda part, kind, where: _redact_plain(part, kind, where, masker, depth + 1),
        )
    if wide := _wide_encoding(data, content_type, media_type):
        return _redact_wide(data, wide, media_type, path, masker)
    return _redact_narrow(data, media_type, path, masker)


def _redact_narrow(data: bytes, media_type: str, path: str, masker: Masker) -> Hit:
    if is_form(media_type, data):
        return redact_form(data, path, masker)
    if BEGINS_AS_JSON.match(data) or JSON.fullmatch(media_type):  # JSON is often sent as text/plain
        return _redact_json(data, path, masker)
    masked = masker.scrub(data)
    return masked, (() if masked is data else (path,))


def _redact_json(data: bytes, path: str, masker: Masker) -> Hit:
    places = masker.rules.places.under(f"{path}.$")
    found = redact_json_places(data, places, masker) if places.all else data
    masked, paths = redact_json(found, path, masker)
    return masked, (paths if found is data else (f"{path}.$", *paths))


def _wide_encoding(data: bytes, content_type: str, media_type: str) -> str | None:
    if data.startswith(_ANY_WIDE_MARK):
        return next(encoding for mark, encoding in _WIDE_MARKS if data.startswith(mark))
    if "=" in content_type and (named := WIDE_CHARSET.search(content_type)):
        name = (named[1] or "utf-16").lower()
        return name if name.endswith("e") else f"{name}-le"  # else a mark would be added
    if b"\0" in data[:4] and JSON.fullmatch(media_type):  # RFC 4627, section 3
        return json.detect_encoding(data)
    return None


def _redact_wide(data: bytes, encoding: str, media_type: str, path: str, masker: Masker) -> Hit:
    end = len(data) - len(data) % (4 if "32" in encoding else 2)  # it may be cut off inside a character
    try:
        narrow = data[:end].decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _redact_narrow(data, media_type, path, masker)
    masked, paths = _redact_narrow(narrow, media_type, path, masker)
    if masked is narrow:  # what looks wide may be binary data under a type that is not its own
        return _redact_narrow(data, media_type, path, masker)
    return masked.decode("utf-8", "surrogatepass").encode(encoding, "surrogatepass") + data[end:], paths
