"""Points in time inside values: ISO text, and numbers that count from 1970. Pure."""

from __future__ import annotations

import datetime
import re
from typing import Final, Literal, TypeAlias

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.base import Slot

SECOND_NS: Final = 1_000_000_000
MS_NS: Final = 1_000_000
US_NS: Final = 1_000
NEAR_NS: Final = SECOND_NS // 2
"""By less than this do two runs differ in when they read the clock. An offset that the application adds is mostly made
of whole seconds: half of one tells another offset from another reading."""
YEARS_NS: Final = 30 * 366 * 86_400 * SECOND_NS
"""How far from the run may lie what was reckoned from its clock: numbers of as many digits are ids as well."""

ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.(?:\d{6}|\d{3}))?(?:Z|[+-]\d\d:\d\d)?"
)  # what `fromisoformat` reads on every Python from 3.10
NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z.])(?:\d{10}\.\d{1,9}|\d{13}(?:\.\d{1,6})?|\d{16}|\d{19})(?![0-9A-Za-z]|\.\d)"
)
"""Seconds with a fraction, and whole milli-, micro- and nanoseconds since 1970, from 2001 on. Whole seconds are no
instant here: nothing tells which reading of the clock they came from."""
_DIGITS: Final = 19
"""Of nanoseconds since 1970."""
_EITHER: Final = re.compile(rf"(?<!\d){ISO.pattern}(?!\d)|{NUMBER.pattern}")

SLACK_NS: Final = SECOND_NS

Grain = Literal[1_000, 1_000_000]
Window: TypeAlias = tuple[int, int]
"""First and last nanosecond on the wall clock."""


def grain(ns: int) -> Grain:
    """The precision with which an instant is told, in nanoseconds: a millisecond if it has nothing below."""
    return MS_NS if ns % MS_NS == 0 else US_NS


def is_fraction(ns: int) -> bool:
    """False for whole seconds, which hold nothing of the clock that they were read from."""
    return ns % SECOND_NS != 0


def are_near(recorded_ns: int, asked_ns: int) -> bool:
    """True for two that may be the same offset from two readings: no half second apart, and told as precisely. One of a
    thousand that are told in microseconds ends with none, as if it were told in milliseconds."""
    return abs(recorded_ns - asked_ns) < NEAR_NS and grain(recorded_ns) <= grain(asked_ns)


def of_number(text: str) -> int | None:
    """Nanoseconds since 1970 that a number can mean; None if it is none of `NUMBER`."""
    if not NUMBER.fullmatch(text):
        return None
    whole, _, rest = text.partition(".")
    return int((whole + rest).ljust(_DIGITS, "0")[:_DIGITS])


def of_iso(text: str) -> list[int]:
    """Nanoseconds since 1970 that an ISO date and time can mean: without an offset it is in UTC or in local time."""
    if not ISO.fullmatch(text):
        return []
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:  # the 31st of February
        return []
    meanings = [moment] if moment.tzinfo else [moment, moment.replace(tzinfo=datetime.timezone.utc)]
    return [int(each.timestamp() * 1_000_000) * 1_000 for each in meanings]


def spelling(text: str) -> str:
    """An ISO date and time with its digits made equal, those of the offset kept; Z is an offset of zero."""
    text = text.replace("Z", "+00:00")
    end = 10 + len(re.split("[+-]", text[10:])[0])
    return re.sub(r"\d", "0", text[:end]) + text[end:]


def text_of(value: Value) -> str | None:
    """A text or a number as it may hold an instant."""
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def first_fraction(slot: Slot) -> int | None:
    """The first instant in a slot that is not of whole seconds, in UTC where it does not say."""
    if slot.instant_ns is not None:
        return slot.instant_ns if is_fraction(slot.instant_ns) else None
    text = slot.text if slot.text is not None else text_of(slot.shown)
    for match in _EITHER.finditer(text or ""):
        found = of_number(match[0])
        for instant in [found] if found is not None else of_iso(match[0])[-1:]:
            if is_fraction(instant):
                return instant
    return None


def window(start_ns: int, end_ns: int) -> Window:
    """The time of a recording with a second to spare on both sides."""
    return start_ns - SLACK_NS, end_ns + SLACK_NS


def lies_in(instant_ns: int, limits: Window) -> bool:
    return limits[0] <= instant_ns <= limits[1]
