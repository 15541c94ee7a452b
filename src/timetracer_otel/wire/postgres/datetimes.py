"""Conversions of dates, times and intervals, exact over PostgreSQL's whole range (4713 BC to 294276 AD).

Texts are the server's in DateStyle ISO and IntervalStyle postgres; other styles are refused, not guessed.
Source: src/backend/utils/adt/datetime.c, timestamp.c, date.c.
"""

from __future__ import annotations

import datetime as dt
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from timetracer_otel.errors import Unconvertible
from timetracer_otel.wire.postgres import oids
from timetracer_otel.wire.postgres.conversion import Conversion, Style, checked

CACHED_DAYS: Final = 1024
SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
EPOCH_NS: Final = 946_684_800 * 1_000_000_000
"""PostgreSQL counts from 2000-01-01; this is that moment since 1970."""

_INT64: Final = struct.Struct("!q")
_INT32: Final = struct.Struct("!i")
_INTERVAL: Final = struct.Struct("!qii")
_TIMETZ: Final = struct.Struct("!qi")
_FOREVER_US: Final = {"infinity": 2**63 - 1, "-infinity": -(2**63)}
_FOREVER_DAYS: Final = {"infinity": 2**31 - 1, "-infinity": -(2**31)}
_FOREVER: Final = {
    text: _INTERVAL.pack(us, days, days)
    for (text, us), days in zip(_FOREVER_US.items(), _FOREVER_DAYS.values(), strict=True)
}
_EPOCH: Final = dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
# 2000-01-01 as a day of the proleptic Gregorian calendar that begins with 0000-03-01.
_EPOCH_DAY: Final = 730_425

_TIME: Final = r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?"
_OFFSET: Final = r"([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?"
_MOMENT: Final = re.compile(rf"(\d{{4,6}})-(\d\d)-(\d\d)(?:[ T]{_TIME})?(?:{_OFFSET}|(Z))?( BC)?", re.ASCII)
_TIME_OF_DAY: Final = re.compile(rf"{_TIME}(?:{_OFFSET})?", re.ASCII)
_PARTS: Final = re.compile(r"([+-]?\d+) (year|mon|day)s?(?: |\Z)", re.ASCII)
_CLOCK: Final = re.compile(r"([+-]?)(\d{2,}):(\d\d):(\d\d)(?:\.(\d{1,6}))?", re.ASCII)


# ---- calendar --------------------------------------------------------------------------------------------------------


def _day_of(year: int, month: int, day: int) -> int:
    """Days since 2000-01-01; year 0 is 1 BC."""
    shifted = year - (month <= 2)
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - _EPOCH_DAY


def _date_of(day: int) -> tuple[int, int, int]:
    era, of_era = divmod(day + _EPOCH_DAY, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * of_year + 2) // 153
    month = (shifted_month + 2) % 12 + 1
    return era * 400 + year_of_era + (month <= 2), month, of_year - (153 * shifted_month + 2) // 5 + 1


@lru_cache(maxsize=CACHED_DAYS)
def _existing_day(year: int, month: int, day: int) -> int:
    number = _day_of(year, month, day)
    if _date_of(number) != (year, month, day):
        raise Unconvertible("no such day")
    return number


@lru_cache(maxsize=CACHED_DAYS)
def _date_text(day: int) -> tuple[str, str]:
    """The date and its era, which stands at the very end."""
    year, month, of_month = _date_of(day)
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{of_month:02d}", "" if year > 0 else " BC"


def _clock_text(us: int) -> str:
    seconds, fraction = divmod(us, SECOND_US)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return text + (f".{fraction:06d}".rstrip("0") if fraction else "")


def _clock_us(hours: str, minutes: str, seconds: str, fraction: str | None) -> int:
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * SECOND_US + int((fraction or "0").ljust(6, "0"))


def _offset_text(seconds: int) -> str:
    """As the server: minutes and seconds only where there are some."""
    size = abs(seconds)
    text = f"{'-' if seconds < 0 else '+'}{size // 3600:02d}"
    text += f":{size // 60 % 60:02d}" if size % 3600 else ""
    return text + (f":{size % 60:02d}" if size % 60 else "")


def _offset_s(sign: str, hours: str, minutes: str | None, seconds: str | None) -> int:
    size = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return -size if sign == "-" else size


# ---- timestamp, timestamptz, date ------------------------------------------------------------------------------------


def moment(text: str) -> tuple[int, int | None]:
    """Microseconds of the clock since 2000-01-01 of an ISO date or timestamp, and its offset in seconds, or None.

    Raises Unconvertible for anything else.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise Unconvertible("not an ISO date")
    year, month, day, hours, minutes, seconds, fraction, sign, *offset, zulu, era = match.groups()
    us = _existing_day(1 - int(year) if era else int(year), int(month), int(day)) * DAY_US + (
        _clock_us(hours, minutes, seconds, fraction) if hours else 0
    )
    return us, 0 if zulu else _offset_s(sign, *offset) if sign else None


def _moment_text(us: int, suffix: str = "") -> str:
    day, clock = divmod(us, DAY_US)
    date, era = _date_text(day)
    return f"{date} {_clock_text(clock)}{suffix}{era}"


def instant_us(text: str) -> int:
    """Microseconds since 2000-01-01 UTC of a timestamptz, whatever its offset. Raises Unconvertible without one."""
    if text in _FOREVER_US:
        return _FOREVER_US[text]
    us, offset = moment(text)
    if offset is None:
        raise Unconvertible("a moment without its offset")
    return us - offset * SECOND_US


def local_us(text: str) -> int:
    """Microseconds of the clock since 2000-01-01 of a timestamp; an offset is passed over, as the server does."""
    return _FOREVER_US[text] if text in _FOREVER_US else moment(text)[0]


@lru_cache(maxsize=64)
def _zone(name: str) -> Callable[[int], int]:
    """The offset in seconds, from UTC microseconds since 2000-01-01."""
    if name.upper() in ("UTC", "GMT", "ETC/UTC", "ETC/GMT", "UCT", "ZULU"):
        return lambda us: 0
    zone = ZoneInfo(name)

    def offset(us: int) -> int:
        local = (_EPOCH + dt.timedelta(microseconds=us)).astimezone(zone)  # OverflowError outside years 1 to 9999
        return int((local.utcoffset() or dt.timedelta()).total_seconds())

    return offset


def _timestamp(raw: bytes) -> str:
    (us,) = _INT64.unpack(raw)
    return _forever(us, _FOREVER_US) or _moment_text(us)


def _timestamptz(time_zone: str) -> Conversion:
    """Text in `time_zone`, with its offset; from text the offset says all."""

    def to_text(raw: bytes) -> str:
        (us,) = _INT64.unpack(raw)
        if forever := _forever(us, _FOREVER_US):
            return forever
        offset = _zone(time_zone)(us)
        return _moment_text(us + offset * SECOND_US, _offset_text(offset))

    return Conversion(to_text, _timestamptz_binary)


def _timestamptz_binary(text: str) -> bytes:
    if text in _FOREVER_US:
        return _INT64.pack(_FOREVER_US[text])
    us, offset = moment(text)
    if offset is None or _moment_text(us, _offset_text(offset)) != text:
        raise Unconvertible("a text that is not the server's own spelling")
    return _INT64.pack(us - offset * SECOND_US)


def _date(raw: bytes) -> str:
    (day,) = _INT32.unpack(raw)
    return _forever(day, _FOREVER_DAYS) or "".join(_date_text(day))


def _date_binary(text: str) -> bytes:
    return _INT32.pack(_FOREVER_DAYS[text] if text in _FOREVER_DAYS else moment(text)[0] // DAY_US)


def _forever(value: int, names: dict[str, int]) -> str | None:
    return next((text for text, infinite in names.items() if infinite == value), None)


# ---- time, timetz, interval ------------------------------------------------------------------------------------------


def _time_binary(text: str) -> bytes:
    return _INT64.pack(time_of_day(text)[0])


def time_of_day(text: str) -> tuple[int, int | None]:
    """Microseconds since midnight, and the offset in seconds or None. Raises Unconvertible."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise Unconvertible("not a time of day")
    hours, minutes, seconds, fraction, sign, *offset = match.groups()
    return _clock_us(hours, minutes, seconds, fraction), _offset_s(sign, *offset) if sign else None


def _timetz(raw: bytes) -> str:
    us, west_s = _TIMETZ.unpack(raw)
    return _clock_text(us) + _offset_text(-west_s)


def _timetz_binary(text: str) -> bytes:
    us, offset = time_of_day(text)
    if offset is None:
        raise Unconvertible("a timetz without its offset")
    return _TIMETZ.pack(us, -offset)


def _interval(raw: bytes) -> str:
    if forever := next((text for text, infinite in _FOREVER.items() if infinite == raw), None):
        return forever
    us, days, months = _INTERVAL.unpack(raw)
    years = abs(months) // 12 * (1 if months >= 0 else -1)
    parts: list[str] = []
    is_before = False  # after a negative part the server writes the sign of a positive one
    for value, unit in ((years, "year"), (months - 12 * years, "mon"), (days, "day")):
        if value:
            parts.append(f"{'+' if is_before and value > 0 else ''}{value} {unit}{'' if value == 1 else 's'}")
            is_before = value < 0
    if us or not parts:
        parts.append(("-" if us < 0 else "+" if is_before else "") + _clock_text(abs(us)))
    return " ".join(parts)


def _interval_binary(text: str) -> bytes:
    if text in _FOREVER:
        return _FOREVER[text]
    units = {"year": 0, "mon": 0, "day": 0}
    at = 0
    while part := _PARTS.match(text, at):
        units[part[2]] += int(part[1])
        at = part.end()
    us = _signed_clock_us(text[at:]) if text[at:] else 0
    return _INTERVAL.pack(us, units["day"], units["year"] * 12 + units["mon"])


def _signed_clock_us(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise Unconvertible("not an interval in the server's own spelling")
    us = _clock_us(match[2], match[3], match[4], match[5])
    return -us if match[1] == "-" else us


def _refusing(setting: str, value: str) -> Conversion:
    def refuse(_: bytes | str) -> str:
        raise Unconvertible(f"its text in {setting} {value}")

    def refuse_text(_: str) -> bytes:
        raise Unconvertible(f"its text in {setting} {value}")

    return Conversion(refuse, refuse_text)


_TIMES: Final = {
    oids.TIME: checked(lambda raw: _clock_text(_INT64.unpack(raw)[0]), _time_binary),
    oids.TIMETZ: checked(_timetz, _timetz_binary),
}
_DATES: Final = {
    oids.DATE: checked(_date, _date_binary),
    oids.TIMESTAMP: checked(_timestamp, lambda text: _INT64.pack(local_us(text))),
}
_INTERVALS: Final = checked(_interval, _interval_binary)
OIDS: Final = frozenset({*_TIMES, *_DATES, oids.TIMESTAMPTZ, oids.INTERVAL})


def datetime_conversion(oid: int, style: Style) -> Conversion:
    """For one of `OIDS`."""
    if oid in _TIMES:
        return _TIMES[oid]
    if oid == oids.INTERVAL:
        return _INTERVALS if style.intervals == "postgres" else _refusing("IntervalStyle", style.intervals)
    if style.dates.upper() != "ISO":
        return _refusing("DateStyle", style.dates)
    return _timestamptz(style.time_zone) if oid == oids.TIMESTAMPTZ else _DATES[oid]
