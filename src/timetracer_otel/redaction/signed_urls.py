"""Signatures in addresses that are credentials by themselves, wherever such an address stands, and in forms.

By the name alone, `sig` is too short to say anything: a value counts that is the base64 of 32 bytes.
Source: shared access signatures of Azure, signed URLs and cookies of CloudFront, presigned URLs of S3 (version 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from timetracer_otel.redaction.markers import Mark, percent_encoded
from timetracer_otel.redaction.shapes import Expression, Match, replaced

RULE: Final = "signature"
_STARTS: Final = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\u0026))"
_HASH: Final = rb"(?:[A-Za-z0-9+/]|%2[BbFf]){43}(?:=|%3[Dd])"
_ENDS: Final = rb"(?![A-Za-z0-9+/=_-])"
_SHARED: Final = re.compile(_STARTS + rb"sig=(?P<value>" + _HASH + rb")" + _ENDS)
_SIGNED: Final = re.compile(_STARTS + rb"(?:CloudFront-)?(?:Signature|Policy)=(?P<value>[A-Za-z0-9+/=_~%-]{20,})")
_WHOLE: Final = re.compile(_HASH)


def _masked(match: Match, mark: Mark) -> bytes:
    return replaced(match, "value", percent_encoded(mark(RULE, unquote_to_bytes(match["value"]))))


SHAPES: Final = (
    Expression((b"sig=",), _SHARED, _masked),
    Expression((b"Signature=",), _SIGNED, _masked, by_name=True),
)


def signatures_in(fields: Mapping[bytes, bytes]) -> dict[bytes, str]:
    """Which fields of a form are signatures, with their rule."""
    found = {b"sig": RULE} if _WHOLE.fullmatch(fields.get(b"sig", b"")) else {}
    return {**found, **dict.fromkeys((b"Signature", b"Policy"), RULE)} if b"Key-Pair-Id" in fields else found
