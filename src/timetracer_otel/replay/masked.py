"""What the markers of a recorded text stand for, where the application has the secrets themselves."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from timetracer_otel.redaction.markers import MARKER, find_markers


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
