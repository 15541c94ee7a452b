"""Markers: what stands where a secret was. `[redacted:password#3fa9c1]`, in a URL percent-encoded."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote

Mark: TypeAlias = Callable[[str, bytes], bytes]
"""(rule, secret) -> the marker's bytes; a marker stays itself."""

StandInKind: TypeAlias = Literal["uuid", "int2", "int4", "int8", "bytea"]

_SHAPE: Final = r"(?:\[|%5B)redacted(?::|%3A)([a-z0-9_]+)(?:#|%23)([0-9a-f]{6})(?:\]|%5D)"
MARKER: Final = re.compile(_SHAPE)
"""A marker in either spelling; groups: rule, digest."""
MARKER_BYTES: Final = re.compile(_SHAPE.encode())
_ANY: Final = "[redacted]"

_INT_MAX: Final = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}
_UUID_TAG: Final = b"redact"


def is_marker(text: str) -> bool:
    """True if `text` is one marker and nothing else, in either spelling."""
    return MARKER.fullmatch(text) is not None


def find_markers(text: str) -> list[str]:
    """Every marker in `text` in order, in the plain spelling."""
    return [f"[redacted:{match[1]}#{match[2]}]" for match in MARKER.finditer(text)]


def unmarked(text: str) -> str:
    """`text` with all markers alike. Which rule met a secret first depends on where it was seen before: a token that is
    answered in a cookie and in a body has one of two names."""
    return MARKER.sub(_ANY, text)


def unmarked_bytes(data: bytes) -> bytes:
    """The same of bytes."""
    return MARKER_BYTES.sub(_ANY.encode(), data)


def percent_encoded(marker: bytes) -> bytes:
    """The spelling for URLs and forms: brackets and `#` would end what they stand in."""
    return quote(unquote(marker.decode()), safe="").encode()


class MarkerMaker:
    """Makes markers with one key: equal secrets get equal markers, and nobody without the key can try secrets out."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = secrets.token_bytes(32) if key is None else key

    def marker(self, rule: str, value: bytes) -> bytes:
        """The marker for `value`; a marker stays itself, so that redaction can run at every exit."""
        if MARKER_BYTES.fullmatch(value):
            return value
        return f"[redacted:{rule}#{self._digest(value)[:3].hex()}]".encode()

    def stand_in(self, rule: str, value: bytes, kind: StandInKind) -> bytes | int:
        """A value of a type that has no room for a marker: equal for equal secrets, integers in 1..maximum.

        A uuid is of version 8 (free form, RFC 9562) and begins with the bytes of `redact`: it is known again and stays.
        """
        if kind == "bytea":
            return self.marker(rule, value)
        digest = self._digest(value)
        if kind == "uuid":
            return value if _is_uuid_stand_in(value) else _uuid_stand_in(digest)
        return int.from_bytes(digest[:16], "big") % _INT_MAX[kind] + 1

    def _digest(self, value: bytes) -> bytes:
        return hmac.digest(self._key, value, "sha256")


def _uuid_stand_in(digest: bytes) -> bytes:
    version, variant = 0x80 | digest[0] & 0x0F, 0x80 | digest[1] & 0x3F
    return _UUID_TAG + bytes([version, digest[2], variant]) + digest[3:10]


def _is_uuid_stand_in(value: bytes) -> bool:
    return len(value) == 16 and value.startswith(_UUID_TAG) and value[6] >> 4 == 8 and value[8] >> 6 == 2
