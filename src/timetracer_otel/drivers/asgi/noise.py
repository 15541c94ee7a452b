"""What differs in every answer although nothing is wrong: minted per call, by name; or read from the clock, by value.

Only the value is ignored, never that a field is there; each one that is ignored is listed with its reason. Ids and ISO
times in text are not excused here: the session knows which of them were made in this very replay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Final

from timetracer_otel.drivers.markers import are_swapped
from timetracer_otel.redaction import MARKER
from timetracer_otel.redaction.markers import unmarked

MINTED: Final = frozenset({
    "date", "server", "server-timing", "x-runtime", "x-response-time", "x-process-time",
    "x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-amzn-requestid", "x-amzn-trace-id",
    "traceparent", "tracestate", "traceresponse", "x-trace-id", "trace-id", "x-b3-traceid", "x-b3-spanid", "b3",
})  # fmt: skip
"""Response headers, in lower case."""
SETS: Final = frozenset({
    "allow", "vary", "access-control-allow-headers", "access-control-allow-methods", "access-control-expose-headers",
})  # fmt: skip
"""Response headers whose names come in any order: frameworks join a set, which each process orders in its own way."""
_CSRF: Final = re.compile(r"[\w-]*[cx]srf[\w-]*", re.IGNORECASE)
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+\b", re.IGNORECASE)
_EPOCH_S: Final = (Decimal(1_000_000_000), Decimal(10_000_000_000))
"""Seconds since 1970 between 2001 and 2286."""
_HTTP_DATE_SLACK_S: Final = 1.0

_WILDCARDS_MAX: Final = 8
"""Matching takes time that grows with the power of their number."""

SENT_REDACTED: Final = "made from a redacted value of the request"
REDACTED: Final = "redacted: the values cannot be compared"
CLOCK: Final = "read from the clock while the request ran"
MINTED_REASON: Final = "minted per call"
ADDRESS_REASON: Final = "a memory address"
ORDER: Final = "the same names in another order"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What this very request may do to values of its answer."""

    window_s: float = 0.0
    """How long it took: readings of the clock may differ by so much."""
    markers: frozenset[str] = frozenset()
    """Digits of those that were sent in place of secrets: the answer may hold them where it held the secrets."""
    known: frozenset[str] = frozenset()
    """The same, and those of secrets that were sent: of two of them it is known that they differ."""


def excuse(recorded: object, replayed: object, allowance: Allowance) -> str | None:
    """Why two different values are no difference; None if they are one."""
    if isinstance(recorded, str) and isinstance(replayed, str):
        return _excuse_text(recorded, replayed, allowance)
    if isinstance(recorded, Decimal) and isinstance(replayed, Decimal):
        is_time = all(_EPOCH_S[0] < value < _EPOCH_S[1] for value in (recorded, replayed))
        return CLOCK if is_time and abs(recorded - replayed) <= Decimal(allowance.window_s) else None
    return None


def _excuse_text(recorded: str, replayed: str, allowance: Allowance) -> str | None:
    if allowance.markers and _holds_secrets_of(recorded, replayed, allowance):
        return SENT_REDACTED
    if may_be_same(recorded, replayed, allowance):
        return REDACTED
    if _ADDRESS.sub("", recorded) == _ADDRESS.sub("", replayed):
        return ADDRESS_REASON
    return None


def may_be_same(recorded: str, replayed: str, allowance: Allowance) -> bool:
    """True if they differ in secrets alone, and in none of which that is known."""
    is_alike = MARKER.search(recorded) is not None and unmarked(recorded) == unmarked(replayed)
    return is_alike and not are_swapped(recorded, replayed, allowance.known)


def _holds_secrets_of(recorded: str, replayed: str, allowance: Allowance) -> bool:
    """True if something of the recorded text stands where the replayed one holds a marker that was sent."""
    pieces, sent, end = list[str](), list[str](), 0
    for found in MARKER.finditer(replayed):
        if found[2] in allowance.markers:
            pieces.append(re.escape(replayed[end : found.start()]))
            sent.append(found[0])
            end = found.end()
    if not 1 <= len(pieces) <= _WILDCARDS_MAX:
        return False
    pattern = "".join(f"{piece}(.*?)" for piece in pieces) + re.escape(replayed[end:])
    match = re.fullmatch(pattern, recorded, re.DOTALL)
    return match is not None and not any(
        are_swapped(was, now, allowance.known) for was, now in zip(match.groups(), sent, strict=True)
    )


def http_date(text: str) -> float | None:
    """Seconds since 1970 of `Wed, 01 Jan 2025 10:00:00 GMT`."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def excuse_header(name: str, recorded: str, replayed: str, allowance: Allowance) -> str | None:
    """The same for a header that both answers have."""
    if name in MINTED:
        return MINTED_REASON if _are_both_there(recorded, replayed) else None
    if name in SETS:
        return ORDER if _names_in(recorded) == _names_in(replayed) else None
    if name == "set-cookie":
        return _excuse_cookie(recorded, replayed, allowance)
    if name in ("expires", "last-modified"):
        return CLOCK if _same_moment(recorded, replayed, allowance) else None
    return excuse(recorded, replayed, allowance)


def _are_both_there(recorded: str, replayed: str) -> bool:
    """Nothing is minted as an empty value: a cookie that is emptied is deleted."""
    return bool(recorded.strip()) == bool(replayed.strip())


def _names_in(value: str) -> list[str]:
    return sorted(name.strip() for name in value.split(","))


def _excuse_cookie(recorded: str, replayed: str, allowance: Allowance) -> str | None:
    """Value and attributes on their own: a csrf token is minted, its Path is not; Expires is counted from now."""
    was, now = recorded.split(";"), replayed.split(";")
    if len(was) != len(now) or was[0].partition("=")[0] != now[0].partition("=")[0]:
        return None
    reasons = [_excuse_part(old, new, allowance) for old, new in zip(was, now, strict=True) if old != new]
    return None if None in reasons else "; ".join(dict.fromkeys(reason for reason in reasons if reason))


def _excuse_part(recorded: str, replayed: str, allowance: Allowance) -> str | None:
    name, _, was = recorded.partition("=")
    other, _, now = replayed.partition("=")
    if name != other:
        return None
    if _CSRF.fullmatch(name.strip()):
        return MINTED_REASON if _are_both_there(was, now) else None
    if name.strip().lower() == "expires":
        return CLOCK if _same_moment(was, now, allowance) else None
    return excuse(recorded, replayed, allowance)


def _same_moment(recorded: str, replayed: str, allowance: Allowance) -> bool:
    was, now = http_date(recorded), http_date(replayed)
    return was is not None and now is not None and abs(was - now) <= allowance.window_s + _HTTP_DATE_SLACK_S
