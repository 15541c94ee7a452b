"""What the markers of a recorded text stand for, where the application has the secrets themselves."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from timetracer_otel.drivers.base import Slot
from timetracer_otel.redaction import MARKER, find_markers
from timetracer_otel.redaction.codings import bytes_in

ROOM_MIN: Final = 37
"""Characters in which a marker fits: a uuid and a number have fewer, and another value stands in for them."""
UNPACKED_MAX: Final = 64 * 1024 * 1024


def hidden(was: str, now: str) -> tuple[tuple[str, str], ...] | None:
    """The digits of each marker in the recorded text with what stands there now; everything around it must be equal.

    None without a marker, and where something else differs.
    """
    markers = find_markers(was)
    if not markers:
        return None
    match = re.fullmatch("(.+?)".join(map(re.escape, _around(was))), now, re.DOTALL)
    if match is None:
        return None
    values = match.groups()
    if not all(map(_may_hide, markers, values)):
        return None
    return tuple(map(_secret_pair, MARKER.finditer(was), values))


def spelled(slot: Slot) -> str | None:
    """All of a value, whatever its bytes mean: packed ones as they were; None of what is neither bytes nor text."""
    last = slot.key[-1] if isinstance(slot.key, tuple) and slot.key else slot.key
    value = last if slot.whole is None else slot.whole
    if isinstance(value, bytes):
        return (bytes_in(value, UNPACKED_MAX) or value).decode("latin-1")
    return value if isinstance(value, str) else None


def has_room(text: str) -> bool:
    """False for what is too short for a marker, and so may stand in for any secret."""
    return len(text) >= ROOM_MIN or MARKER.search(text) is not None


def digest(marker: str) -> str:
    """Its digits, which are the same for one secret under any rule."""
    return marker[marker.index("#") :]


def _around(text: str) -> list[str]:
    """What stands before, between and behind the markers."""
    ends = [0, *(end for match in MARKER.finditer(text) for end in match.span()), len(text)]
    return [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]


def _may_hide(marker: str, value: str) -> bool:
    """False where the marker of another secret stands: that the two differ is known. The rule does not count: it
    goes by the name of a field or a column."""
    return [digest(found) for found in find_markers(value)] in ([], [digest(marker)])


def _secret_pair(marker: re.Match[str], value: str) -> tuple[str, str]:
    """The digits of the marker and the secret: the name of its rule, and how it is spelt, go by where it stands."""
    return f"#{marker[2]}]", unquote_plus(value) if marker[0].startswith("%") else value
