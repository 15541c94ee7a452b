"""The body of a request in canonical form: what a server would not tell apart is the same.

JSON goes by content, forms by name, multipart by part without the boundary, compressed bodies unpacked; else bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from timetracer_otel.drivers.base import TEXT_MAX, Slot
from timetracer_otel.redaction.codings import Undecodable, codings_of, decode
from timetracer_otel.redaction.structured import FORM, is_form

SHOWN_MAX: Final = 1000
_BOUNDARY: Final = re.compile(r';\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
_NAME: Final = re.compile(rb'(?i);\s*name="([^"]*)"')
_PLAIN: Final = re.compile(r"[\w#:$@-]+")
_UNESCAPED: Final = re.compile(rb"[^!-~]|[\"<>\\\\^`{}]")
"""What stands in no form as it is: many clients call a body of any kind a form, and `+` is no space in a file."""
SIGNED: Final[Mapping[str, frozenset[str]]] = {
    "X-Amz-Signature": frozenset({"X-Amz-Signature", "X-Amz-Date", "X-Amz-Credential", "X-Amz-Security-Token"}),
    "X-Goog-Signature": frozenset({"X-Goog-Signature", "X-Goog-Date", "X-Goog-Credential"}),
    "oauth_signature": frozenset({"oauth_signature", "oauth_nonce", "oauth_timestamp"}),
    "sig": frozenset({"sig", "se", "st"}),
}
"""What differs with each signing, where the signature itself is there."""
ALONE: Final = {"sig": frozenset({"sv", "se"})}
"""So short a name signs only where these stand beside it."""


def slots(body: bytes, content_type: str, content_encoding: str) -> Iterator[Slot]:
    """Those of the body; the media type is one of them."""
    plain_type = _plain_type(content_type)
    if body and (codings := codings_of(content_encoding)):
        body = _unpacked(body, codings)
    yield type_slot(content_type, content_encoding if body else "")
    is_no_form = plain_type == FORM and not is_form(plain_type, body)
    if _is_json(plain_type) or is_no_form:
        found = _parsed(body)
        if found is not None:
            yield from _json("body.$", found[0])
            return
    elif plain_type == FORM:
        yield from fields(body, "body")
        return
    elif plain_type.startswith("multipart/") and (boundary := _BOUNDARY.search(content_type)):
        yield from _multipart(body, (boundary[1] or boundary[2]).encode("latin-1", "replace"))
        return
    yield leaf("body", body)


def type_slot(content_type: str, content_encoding: str) -> Slot:
    """How a body is to be read."""
    plain_type = _plain_type(content_type)
    media_type = "; ".join([plain_type, *_parameters(content_type, plain_type)])
    if codings := codings_of(content_encoding):
        media_type += f" {','.join(codings)}"
    return Slot("body.type", key=media_type, shown=media_type)


def _plain_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _parameters(content_type: str, plain_type: str) -> list[str]:
    """Of the media type: `charset=latin-1` or `version=2` is another way to read the same bytes. Those of a multipart
    body are made for each; UTF-8 goes without saying."""
    if plain_type.startswith("multipart/"):
        return []
    named = (each.strip().partition("=") for each in content_type.split(";")[1:])
    found = ((name.strip().lower(), value.strip().strip('"')) for name, _, value in named if name)
    told = (f"{name}={value.lower() if name == 'charset' else value}" for name, value in found)
    return sorted(each for each in told if each != "charset=utf-8")


def _unpacked(body: bytes, codings: tuple[str, ...]) -> bytes:
    try:
        return decode(body, codings) or body
    except Undecodable:
        return body


def leaf(path: str, value: bytes) -> Slot:
    """A value of its own."""
    if len(value) > TEXT_MAX:
        digest = hashlib.sha256(value).hexdigest()
        return Slot(path, key=("bytes", digest), shown=f"{len(value)} bytes, sha256 {digest}", whole=value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return Slot(path, key=value, shown=value[:SHOWN_MAX])
    return Slot(path, key=value, shown=text[:SHOWN_MAX], text=text)


# ---- forms and queries -----------------------------------------------------------------------------------------------


def fields(data: bytes, where: str) -> Iterator[Slot]:
    """`a=1&b=2` by name; the order counts within one name only. `a` and `a=` are two things."""
    pairs = [piece.partition(b"=") for piece in data.split(b"&") if piece]
    named = [(_decoded(name), equals, _decoded_bytes(value)) for name, equals, value in pairs]
    dropped = _signing({name for name, _, _ in named})
    kept = sorted((each for each in named if each[0] not in dropped), key=lambda each: each[0])
    seen: dict[str, int] = {}
    for name, equals, value in kept:
        number = seen[name] = seen.get(name, -1) + 1
        path = _member(where, name) + (f"[{number}]" if number else "")
        yield leaf(path, value) if equals else Slot(path, key=None, shown=None)


def _signing(names: set[str]) -> frozenset[str]:
    found = (parts for sign, parts in SIGNED.items() if sign in names and ALONE.get(sign, frozenset()) <= names)
    return frozenset[str]().union(*found)


def _decoded_bytes(value: bytes) -> bytes:
    if _UNESCAPED.search(value) is not None:
        return value
    return unquote_to_bytes(value.replace(b"+", b" "))


def _decoded(name: bytes) -> str:
    return _decoded_bytes(name).decode("utf-8", "surrogateescape")


def _member(path: str, name: str) -> str:
    """A name that could be read as a path of its own is quoted."""
    return f"{path}.{name}" if _PLAIN.fullmatch(name) else f"{path}[{name!r}]"


# ---- multipart -------------------------------------------------------------------------------------------------------


def _multipart(body: bytes, boundary: bytes) -> Iterator[Slot]:
    """In order: each part with its headers. What stands before the first and behind the last is nobody's."""
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    for number, part in enumerate(parts[1:-1]):
        head, _, content = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        path = _member("body", named[1].decode("utf-8", "replace")) if named is not None else f"body[{number}]"
        yield leaf(f"{path}.head[{number}]", head.strip())
        yield leaf(path, content)
    yield Slot("body.parts", key=(len(parts), parts[-1].strip()), shown=len(parts) - 2)


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _is_json(media_type: str) -> bool:
    return media_type in ("application/json", "text/json") or media_type.endswith("+json")


class Number(str):
    """Digits as written: 1 and 1.0 are two things to a server."""

    __slots__ = ()


def _parsed(body: bytes) -> tuple[Any] | None:
    """Any: JSON. None where it is none, or where a name occurs twice, which nothing by name can see."""
    try:
        return (json.loads(body, object_pairs_hook=_object, parse_float=Number, parse_int=Number),)
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _json(path: str, value: Any) -> Iterator[Slot]:
    """One slot for each leaf. An empty list is not an empty object."""
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from _json(_member(path, name), value[name])
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _json(f"{path}[{index}]", each)
    else:
        is_text = type(value) is str
        shown = value[:SHOWN_MAX] if is_text else str(value) if isinstance(value, Number) else value
        text = value if is_text and len(value) <= TEXT_MAX else None
        yield Slot(path, key=(type(value).__name__, str(value)), shown=shown, text=text)
