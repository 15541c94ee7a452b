"""Signatures in addresses that are credentials by themselves, wherever such an address stands, and in forms.

By the name alone, `sig` is too short to say anything: a value counts that is the base64 of 32 bytes.
Source: shared access signatures of Azure, signed URLs and cookies of CloudFront, presigned URLs of S3 (version 2).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from timetracer_otel.redaction.markers import Mark, percent_encoded
from timetracer_otel.redaction.shapes import Expression, Match, always, replaced
from timetracer_otel.redaction.signed_members import HASH, RULE

_STARTS: Final = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\u0026))"
_ENDS: Final = rb"(?![A-Za-z0-9+/=_-]|%2[BbFf])"
_SHARED: Final = re.compile(_STARTS + rb"sig=\\*[\"']?(?P<value>" + HASH + rb")" + _ENDS)
_SIGNED: Final = re.compile(_STARTS + rb"(?:CloudFront-)?(?:Signature|Policy)=(?P<value>[A-Za-z0-9+/=_~%-]{20,})")
# The same address taken apart, in text that is no JSON as a whole.
_COLON: Final = rb"\\*[\"']\s*:\s*[bu]?\\*[\"']"
_SHARED_MEMBER: Final = re.compile(_STARTS + rb"sig" + _COLON + rb"(?P<value>" + HASH + rb")" + _ENDS)
_SIGNED_MEMBER: Final = re.compile(
    rb"(?i)(?<![A-Za-z0-9_-])(?:Signature|Policy)" + _COLON + rb"(?P<value>[A-Za-z0-9+/=_~%-]{20,})"
)
_SIGNERS: Final = (
    *(b"Key-Pair-Id", b"AWSAccessKeyId", b"GoogleAccessId", b"OSSAccessKeyId"),
    *(b"-credential", b"-Credential"),
)


def _masked(match: Match, mark: Mark) -> bytes:
    return replaced(match, "value", percent_encoded(mark(RULE, unquote_to_bytes(match["value"]))))


SHAPES: Final = (
    Expression((b"sig=",), _SHARED, _masked),
    Expression((b"Signature=",), _SIGNED, _masked, by_name=True),
    Expression((b"sig",), _SHARED_MEMBER, always(RULE), by_name=True),
    Expression(_SIGNERS, _SIGNED_MEMBER, always(RULE), by_name=True),
)


def signatures_in(data: bytes) -> dict[bytes, str]:
    """Which fields of a query or a form are signatures, with their rule."""
    found = dict[bytes, str]()
    if b"sig=" in data and _SHARED.search(data):
        found[b"sig"] = RULE
    if b"Signature=" in data:
        found.update((match[0].partition(b"=")[0], RULE) for match in _SIGNED.finditer(data))
    return {**found, **dict.fromkeys((b"Signature", b"Policy"), RULE)} if b"Key-Pair-Id=" in data else found
