"""Which ids that the app made are seen by somebody: only those are kept, since only those must come back in replay."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Final

from timetracer_otel.cassette import Generated

SEARCHED_MAX_BYTES: Final = 64 * 1024 * 1024
"""Ids times bytes: above it only ids in hexadecimal are found, in one pass over the text."""

_HEX: Final = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


def seen(generated: Sequence[Generated], texts: Iterable[bytes]) -> tuple[Generated, ...]:
    """Those whose value stands in one of the texts (JSON, redacted): hexadecimal, with dashes, or raw in base64."""
    if not generated:
        return ()
    text = b"\n".join(texts)
    if len(generated) * len(text) > SEARCHED_MAX_BYTES:
        found = {match.replace(b"-", b"").lower() for match in _HEX.findall(text)}
        return tuple(one for one in generated if one.value.encode() in found)
    return tuple(one for one in generated if any(form in text for form in _forms(one.value)))


def _forms(value: str) -> Iterable[bytes]:
    """`value` is 32 hexadecimal digits."""
    dashed = f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
    for spelling in (value, dashed):
        yield spelling.encode()
        yield spelling.upper().encode()
    yield from _base64_forms(bytes.fromhex(value))


def _base64_forms(raw: bytes) -> Iterable[bytes]:
    """Inside longer bytes they begin at any of three places of a group. Characters shared with others are left out."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw)
        first = -(-before * 8 // 6)
        yield encoded[first : (before + len(raw)) * 8 // 6]
