"""Multipart bodies: fields by name, files by pattern; boundaries, part headers and what is not hit stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from timetracer_otel.redaction.masker import Masker

PartBody: TypeAlias = Callable[[bytes, str, str], tuple[bytes, tuple[str, ...]]]
"""(data, content type, path) -> the part's body masked, by its own type."""

_BOUNDARY: Final = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_PARAMETER: Final = rb';\s*%b\*?\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))'
_NAME: Final = re.compile(_PARAMETER % b"name", re.IGNORECASE)
_FILE_NAME: Final = re.compile(_PARAMETER % b"filename", re.IGNORECASE)
_HEADERS_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE: Final = re.compile(rb"\r?\n")


def boundary_of(content_type: str) -> bytes | None:
    """The boundary that the content type names, None if there is none."""
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]).encode("latin-1", "replace") if found else None


def redact_multipart(
    data: bytes, boundary: bytes, path: str, masker: Masker, part_body: PartBody
) -> tuple[bytes, tuple[str, ...]]:
    """`data` with its parts masked; the same object when nothing hits."""
    delimiter = b"--" + boundary
    masked, paths = list[bytes](), list[str]()
    for part in data.split(delimiter):
        new, hits = _part(part, path, masker, part_body)
        masked.append(new)
        paths += hits
    return (delimiter.join(masked) if paths else data), tuple(dict.fromkeys(paths))


def _part(part: bytes, path: str, masker: Masker, part_body: PartBody) -> tuple[bytes, tuple[str, ...]]:
    end = _HEADERS_END.search(part)
    if end is None:
        return part_body(part, "text/plain", path)
    head, body = part[: end.end()], part[end.end() :]
    tail = b"\r\n" if body.endswith(b"\r\n") else b"\n" if body.endswith(b"\n") else b""
    body = body.removesuffix(tail)
    name, is_file, content_type = _described(head)
    where = f"{path}.{name}"
    rule = (None if is_file else masker.rule_of(name)) or masker.rule_at(where)
    if rule is None:
        masked, hits = part_body(body, "application/octet-stream" if is_file else content_type, where)
    else:
        masked, hits = (masker.mark(rule, body), (where,)) if body else (body, ())
    return (part, ()) if masked == body else (head + masked + tail, hits)


def _described(head: bytes) -> tuple[str, bool, str]:
    """Name, whether it is a file, content type."""
    name, is_file, content_type = "", False, "text/plain"
    for line in _LINE.split(head):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            name, is_file = _parameter(_NAME, value), _FILE_NAME.search(value) is not None
        elif field.strip().lower() == b"content-type":
            content_type = value.strip().decode("latin-1")
    return name, is_file, content_type


def _parameter(pattern: re.Pattern[bytes], value: bytes) -> str:
    found = pattern.search(value)
    return (found[1] if found[1] is not None else found[2]).decode("utf-8", "replace") if found else ""
