"""Which ids that the app made are seen by somebody: only those are kept, since only those must come back in replay."""

from __future__ import annotations

import re
import string
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette import Generated

if TYPE_CHECKING:
    from uuid import UUID

    from timetracer_otel.capture.segments import Made

SEARCHED_MAX_BYTES: Final = 64 * 1024 * 1024
"""Ids times bytes: above it only ids in hexadecimal are found, in one pass over the text."""

FEW: Final = 2
"""Ids that are looked for one by one in less time than it takes to split the text into digits."""
SPLIT_MAX_BYTES: Final = 64 * 1024
"""A larger text is not split: that is one call, during which nothing else runs."""

PART_DIGITS: Final = 6
"""Digits at either end by which a shortened id is known, such as `uuid4().hex[:8]` in the number of an order."""
KEPT_MAX: Final = 10_000
"""Ids of one part that are kept unseen."""

_HIDING: Final = (b'"content-encoding"', b'"$payload"', b'"$blob"')
"""Marks of what cannot be searched here: a compressed body, a payload that lies beside the part."""
_HEX: Final = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_LETTERS: Final = string.ascii_letters.encode() + string.digits.encode()
_BASE64: Final = bytes(byte if byte in _LETTERS + b"+/" else 0x20 for byte in range(256))
_HEX_DIGITS: Final = bytes(byte if byte in string.hexdigits.encode() else 0x20 for byte in range(256)).lower()
"""Tables that leave nothing but digits, and spaces."""
BASE64_DIGITS: Final = 20
"""As many as show of an id at least."""


def seen(made: Sequence[Made], texts: Iterable[bytes]) -> tuple[Generated, ...]:
    """Those whose value stands in one of the texts (JSON, redacted): hexadecimal, with dashes, shortened to
    one of its ends, or raw; as it is, or inside of what stands there in base64, such as a command of MongoDB."""
    if not made:
        return ()
    text = b"\n".join(texts)
    if any(mark in text for mark in _HIDING):  # keeping all ids is cheaper than looking into that
        return tuple(_generated(one) for one in made[:KEPT_MAX])
    if len(made) * len(text) > SEARCHED_MAX_BYTES:
        found = {match.replace(b"-", b"").lower() for match in _HEX.findall(text)}
        return tuple(_generated(one) for one in made if one[2].hex.encode() in found)
    if len(made) <= FEW or len(text) > SPLIT_MAX_BYTES:
        return tuple(_generated(one) for one in made if _shows(one[2], text))
    digits, base64 = _runs(text, _HEX_DIGITS, PART_DIGITS), _runs(text, _BASE64, BASE64_DIGITS)
    return tuple(_generated(one) for one in made if _is_in(one[2], text, digits, base64))


def _runs(text: bytes, table: bytes, shortest: int) -> str:
    """What may be digits of an id, of a text that is mostly something else."""
    return b" ".join([run for run in text.translate(table).split() if len(run) >= shortest]).decode()


def _is_in(value: UUID, text: bytes, digits: str, base64: str) -> bool:
    spelled = value.hex
    if spelled[:PART_DIGITS] in digits or spelled[-PART_DIGITS:] in digits:  # in any case, as ids seldom are
        return _shows(value, text)
    return any(form in base64 for form in _coded_forms(value)) if base64 else False


def _shows(value: UUID, text: bytes) -> bool:
    return any(form in text for form in _forms(value)) or any(form.encode() in text for form in _coded_forms(value))


def _generated(made: Made) -> Generated:
    site, index, value = made
    return Generated("uuid4", site, index, value.hex)


def _forms(value: UUID) -> Iterable[bytes]:
    for spelling in (value.hex[:PART_DIGITS], value.hex[-PART_DIGITS:]):  # the whole id holds either
        yield spelling.encode()
        yield spelling.upper().encode()


def _coded_forms(value: UUID) -> Iterable[str]:
    for raw in (value.bytes, value.hex[:PART_DIGITS].encode(), value.hex[-PART_DIGITS:].encode()):
        yield from _base64_forms(raw)


def _base64_forms(raw: bytes) -> Iterable[str]:
    """Inside longer bytes they begin at any of three places of a group. Characters shared with others are left out."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).decode()
        first = -(-before * 8 // 6)
        yield encoded[first : (before + len(raw)) * 8 // 6]
