"""Markers in values of DynamoDB, where text has no place: bytes are base64 there, and a number is digits.

Both are known again, so that what is masked stays as it is when it is masked once more.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from timetracer_otel.redaction import MARKER

RULE: Final = "number"
_TAG: Final = b"redact"
_MARKED: Final = re.compile(rb'"(B|N)"(\s*:\s*)"(\[redacted:[a-z0-9_]+#([0-9a-f]{6})\])"')
_SIGNS: Final = (base64.b64encode(b"[redac"), str(int.from_bytes(_TAG + bytes(3), "big"))[:14].encode())
"""How each of them begins, of bytes and of numbers, whose last eight digits are of the hash."""
_STOOD_IN: Final = re.compile(rb'"(B|N)"(\s*:\s*)"(W3JlZGFjdGVk[A-Za-z0-9+/]*=*|\d{22})"')


def stand_ins(body: bytes) -> bytes:
    """Each marker in the form of its type."""
    # `find`: on bytes, `in` makes an exception first, and throws it away.
    return _MARKED.sub(_stand_in, body) if body.find(b"[redacted:") >= 0 else body


def markers(body: bytes) -> bytes:
    """The markers of which `stand_ins` has made something else."""
    return _STOOD_IN.sub(_marker, body) if max(map(body.find, _SIGNS)) >= 0 else body


def _stand_in(found: re.Match[bytes]) -> bytes:
    if found[1] == b"B":
        return _placed(found, base64.b64encode(found[3]))
    return _placed(found, str(int.from_bytes(_TAG + bytes.fromhex(found[4].decode()), "big")).encode())


def _marker(found: re.Match[bytes]) -> bytes:
    made = _of_bytes(found[3]) if found[1] == b"B" else _of_number(found[3])
    return found[0] if made is None else _placed(found, made)


def _of_bytes(coded: bytes) -> bytes | None:
    try:
        marker = base64.b64decode(coded, validate=True)
    except binascii.Error:
        return None
    return marker if MARKER.fullmatch(marker.decode("latin-1")) else None


def _of_number(digits: bytes) -> bytes | None:
    number = int(digits).to_bytes(10, "big")[1:]
    return f"[redacted:{RULE}#{number[6:].hex()}]".encode() if number.startswith(_TAG) else None


def _placed(found: re.Match[bytes], value: bytes) -> bytes:
    return b'"' + found[1] + b'"' + found[2] + b'"' + value + b'"'
