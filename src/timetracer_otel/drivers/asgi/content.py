"""What a body is, by its headers: uncompressed bytes, and whether they are JSON, text or anything else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from timetracer_otel.config import KIB, MIB
from timetracer_otel.redaction.codings import Undecodable, codings_of, decode

Kind: TypeAlias = Literal["json", "text", "binary"]
Headers: TypeAlias = Sequence[Sequence[bytes]]

_TEXT_TYPES: Final = (
    "application/xml",
    "application/javascript",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
)
BLOCK_BYTES: Final = 64 * KIB
LARGE_BYTES: Final = 16 * MIB
"""Text beyond it is not looked at line by line."""


@dataclass(frozen=True, slots=True)
class Content:
    kind: Kind
    data: bytes
    """Uncompressed."""
    value: Any = None
    """Of JSON: parsed, with Decimal for what is not a whole number. (Any: JSON.)"""
    text: str = ""
    """Of JSON and text."""


def header(headers: Headers, name: str) -> str:
    """The first value under `name` (lower case), empty if there is none."""
    wanted = name.encode("latin-1")
    for key, value in headers:  # not next() of a generator, which takes twice the time
        if key.lower() == wanted:
            return value.decode("latin-1")
    return ""


def boundary(headers: Headers) -> bytes:
    """What stands between the parts of a body in several; empty if it has none."""
    kind, _, parameters = header(headers, "content-type").partition(";")
    name, _, value = parameters.strip().partition("=")
    is_named = kind.strip().lower().startswith("multipart/") and name.lower() == "boundary"
    return value.strip('"').encode("latin-1") if is_named else b""


def codings(headers: Headers) -> str:
    """All content codings of the message, as one line would name them: it may take several."""
    return ",".join([value.decode("latin-1") for key, value in headers if key.lower() == b"content-encoding"])


def common_start(one: bytes, other: bytes) -> int:
    """How many bytes both begin with. Block by block: a body of 40 MB is looked at once, and not copied."""
    shortest, start = min(len(one), len(other)), 0
    while start < shortest and one[start : start + BLOCK_BYTES] == other[start : start + BLOCK_BYTES]:
        start += BLOCK_BYTES
    end = min(start + BLOCK_BYTES, shortest)
    return next((at for at in range(start, end) if one[at] != other[at]), end)


def content_of(headers: Headers, body: bytes) -> Content:
    """Falls back from JSON to text to binary: a type may promise what the bytes do not keep."""
    data = uncompressed(body, codings(headers))
    if data is None:
        return Content("binary", body)
    media_type = header(headers, "content-type").lower()
    if len(data) > LARGE_BYTES and not _is_json(media_type):
        return Content("binary", data)
    text = _text(data, media_type)
    if text is None:
        return Content("binary", data)
    if _is_json(media_type):
        try:
            return Content("json", data, _parsed(text), text)
        except (ValueError, RecursionError):
            pass
    return Content("text", data, text=text)


def uncompressed(body: bytes, encoding: str) -> bytes | None:
    """The body without its content codings, a cut one as far as it goes; None if too large or not what it says."""
    codings = codings_of(encoding)
    if not codings or not body:
        return body
    try:
        return decode(body, codings)
    except Undecodable:
        return None


def _is_json(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip()
    return essence in ("application/json", "text/json") or essence.endswith("+json")


def _text(data: bytes, media_type: str) -> str | None:
    """None for media that is no text, and for bytes that are not in the charset they should be in."""
    essence, _, parameters = media_type.partition(";")
    essence = essence.strip()
    is_text = essence.startswith("text/") or essence in _TEXT_TYPES or _is_json(media_type) or essence.endswith("+xml")
    if essence and not is_text:
        return None
    try:
        return data.decode(_charset(parameters) or "utf-8")
    except (ValueError, LookupError):
        return None


def _charset(parameters: str) -> str:
    """The charset parameter as it is written; empty if there is none."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            return value.strip().strip('"')
    return ""


def _parsed(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_object)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice, which no comparison by name can see")
    return members
