"""Multipart bodies: fields by name, files by pattern; boundaries, part headers and what is not hit stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from timetracer_otel.redaction.masker import Masker
from timetracer_otel.redaction.signed_members import signed

PartBody: TypeAlias = Callable[[bytes, str, str], tuple[bytes, tuple[str, ...]]]
"""(data, content type, path) -> the part's body masked, by its own type."""

_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)+)"|([^\s;"]+))', re.IGNORECASE)
_PARAMETER: Final = rb';\s*%b(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))'
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_NAME: Final = re.compile(_PARAMETER % b"name", re.IGNORECASE)
_FILE_NAME: Final = re.compile(_PARAMETER % b"filename", re.IGNORECASE)
_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_MAY_SIGN: Final = re.compile(rb"(?i)[\"=](?:sig|(?:x-(?:amz|goog)-)?signature)\b")
_LINE: Final = re.compile(rb"\r?\n(?![ \t])")  # a header goes on in lines that begin with blanks


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that the content type names, None if there is none."""
    found = _BOUNDARY.search(content_type)
    return (_QUOTED_PAIR.sub(r"\1", found[1] or "") or found[2]).encode("latin-1", "replace") if found else None


def redact_multipart(
    data: bytes, boundary: bytes, path: str, masker: Masker, part_body: PartBody
) -> tuple[bytes, tuple[str, ...]]:
    """`data` with its parts masked; the same object when nothing hits."""
    masked, paths = list[bytes](), list[str]()
    pieces = _delimiter(boundary).split(data)
    signatures = _signatures(pieces[::2]) if _MAY_SIGN.search(data) else {}
    for index, piece in enumerate(pieces):
        new, hits = (piece, ()) if index % 2 else _part(piece, path, masker, part_body, signatures)
        masked.append(new)
        paths += hits
    return (b"".join(masked) if paths else data), tuple(dict.fromkeys(paths))


def _delimiter(boundary: bytes) -> re.Pattern[bytes]:
    """At the beginning of a line and with nothing behind it, else it is a part of a value (RFC 2046, 5.1.1)."""
    return re.compile(rb"((?:\A|\r?\n)--" + re.escape(boundary) + rb"(?=[ \t]*(?:\r?\n|\Z)|--))")


def _signatures(parts: Sequence[bytes]) -> Mapping[str, str]:
    """Which fields are signatures, with their rule."""
    fields = dict[str, bytes]()
    for part in parts:
        end = _HEADERS_END.search(part)
        if end is not None:
            fields[_described(part[: end.end()])[0][0]] = part[end.end() :]
    return signed(fields, fields.__getitem__)


def _part(
    part: bytes, path: str, masker: Masker, part_body: PartBody, signatures: Mapping[str, str]
) -> tuple[bytes, tuple[str, ...]]:
    end = _HEADERS_END.search(part)
    if end is None:
        return part_body(part, "text/plain", path)
    head, body = part[: end.end()], part[end.end() :]
    names, is_file, content_type = _described(head)
    where = f"{path}.{names[0]}"
    secret = () if is_file else map(masker.rule_of, names)
    rule = next(filter(None, secret), None) or masker.rule_at(where) or signatures.get(names[0])
    if rule is None:
        is_opaque = is_file and not content_type.lower().startswith("multipart/")
        masked, hits = part_body(body, "application/octet-stream" if is_opaque else content_type, where)
    else:
        masked, hits = (masker.mark(rule, body), (where,)) if body else (body, ())
    return (part, ()) if masked == body else (head + masked, hits)


def _described(head: bytes) -> tuple[list[str], bool, str]:
    """Names (at least one, usually only one), whether it is a file, content type."""
    names, is_file, content_type = list[str](), False, "text/plain"
    for line in _LINE.split(head.lstrip(b"\r\n")):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            names, is_file = _names_in(value), _FILE_NAME.search(value) is not None
        elif field.strip().lower() == b"content-type":
            content_type = value.strip().decode("latin-1")
    return names or [""], is_file, content_type


def _names_in(disposition: bytes) -> list[str]:
    """`name="a"`, `name*=UTF-8''a`: which of several is read is the reader's choice."""
    return [
        _extended(plain) if star else plain.decode("utf-8", "replace")
        for star, quoted, bare in _NAME.findall(disposition)
        for plain in [quoted or bare]
    ]


def _extended(value: bytes) -> str:
    """RFC 8187."""
    return unquote_to_bytes(value.rpartition(b"'")[2]).decode("utf-8", "replace")
