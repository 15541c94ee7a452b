"""Values that differ in replay although nothing is wrong, and the proof of it: ids made here, instants of the served
clock, secrets that were redacted. Anything else that differs is a miss.

Every mapping is one to one: a recorded id stands for the same replayed id from its first use to the outcome.
"""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.base import Slot
from timetracer_otel.redaction.markers import MARKER, find_markers

Kind: TypeAlias = Literal["uuid4", "instant", "redacted"]
Window: TypeAlias = tuple[int, int]
"""First and last nanosecond on the wall clock."""

UUID: Final = re.compile(
    r"(?<![0-9a-zA-Z])[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(?![0-9a-zA-Z])", re.IGNORECASE
)
ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.(?:\d{3}|\d{6}))?(?:Z|[+-]\d\d:\d\d)?"
)  # what `fromisoformat` reads on every Python from 3.10
SLACK_NS: Final = 1_000_000_000
MADE_MAX: Final = 100_000
"""Ids made in replay that are remembered; beyond it an unknown id is a miss, never a match."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """`recorded` was answered for `replayed`; `pairs` are the ids or secrets inside that now stand for each other."""

    kind: Kind
    recorded: Value
    replayed: Value
    pairs: tuple[tuple[str, str], ...] = ()


class Origins:
    """The proofs of one session. Not thread-safe: the session's lock covers it."""

    def __init__(self, recorded_ids: Iterable[str], recorded: Window, replayed: Callable[[], Window]) -> None:
        """`replayed` gives the window in which an instant taken in replay must lie."""
        self._recorded_ids = frozenset(filter(None, map(_hex, recorded_ids)))
        self._recorded, self._replayed = recorded, replayed
        self._made: set[str] = set()
        self._there: dict[tuple[Kind, str], str] = {}
        self._back: dict[tuple[Kind, str], str] = {}

    def made(self, value: uuid.UUID) -> None:
        """A uuid4 of this replay that is not a recorded one."""
        if len(self._made) < MADE_MAX:
            self._made.add(value.hex)

    def proves(
        self, recorded: Sequence[Slot], asked: Sequence[Slot], redacted: frozenset[str] = frozenset()
    ) -> tuple[Mapping, ...] | None:
        """What must be mapped so that the two are the same request; None when they are not. `redacted`: paths of the
        slots that hold a marker, or where none has room, a value that stands in for a secret."""
        if len(recorded) != len(asked):
            return None
        found: list[Mapping] = []
        for was, now in zip(recorded, asked, strict=True):
            if was.path != now.path:
                return None
            if was.key == now.key:
                continue
            mapping = self._slot(was, now, was.path in redacted)
            if mapping is None:
                return None
            found.append(mapping)
        return tuple(found) if self._is_consistent(found) else None

    def proves_text(self, recorded: Value, replayed: Value) -> Mapping | None:
        """The same for one value of the outcome: ids, secrets and ISO instants, in text."""
        if not (isinstance(recorded, str) and isinstance(replayed, str)):
            return None
        mapping = self._ids(recorded, replayed) or self._secrets(recorded, replayed) or self._iso(recorded, replayed)
        return mapping if mapping is not None and self._is_consistent([mapping]) else None

    def bind(self, mappings: Iterable[Mapping]) -> None:
        """From now on these stand for each other, and for nothing else."""
        for mapping in mappings:
            for was, now in mapping.pairs:
                self._there[mapping.kind, was] = now
                self._back[mapping.kind, now] = was

    def _is_consistent(self, mappings: Sequence[Mapping]) -> bool:
        there, back = dict(self._there), dict(self._back)
        for mapping in mappings:
            for was, now in mapping.pairs:
                if (
                    there.setdefault((mapping.kind, was), now) != now
                    or back.setdefault((mapping.kind, now), was) != was
                ):
                    return False
        return True

    def _slot(self, was: Slot, now: Slot, is_redacted: bool) -> Mapping | None:
        if was.instant_ns is not None and now.instant_ns is not None:
            is_ours = self._is_ours(was.instant_ns, now.instant_ns)
            return Mapping("instant", was.shown, now.shown) if is_ours else None
        found = self._texts(was.text, now.text) if was.text is not None and now.text is not None else None
        if found is not None:
            return Mapping(found.kind, was.shown, now.shown, found.pairs)
        if is_redacted and not MARKER.search(was.text or ""):
            return Mapping("redacted", was.shown, now.shown, ((repr(was.key), repr(now.key)),))
        return None

    def _texts(self, was: str, now: str) -> Mapping | None:
        return self._ids(was, now) or self._secrets(was, now)

    def _is_ours(self, recorded_ns: int, asked_ns: int) -> bool:
        return _lies_in(recorded_ns, self._recorded) and _lies_in(asked_ns, self._replayed())

    def _ids(self, was: str, now: str) -> Mapping | None:
        """The two texts with every differing id made by the app, then and now."""
        if UUID.split(was) != UUID.split(now):
            return None
        pairs = [(a, b) for a, b in zip(_ids_in(was), _ids_in(now), strict=True) if a != b]
        if not pairs or not all(a in self._recorded_ids and b in self._made for a, b in pairs):
            return None
        return Mapping("uuid4", was, now, tuple(pairs))

    def _secrets(self, was: str, now: str) -> Mapping | None:
        """A recorded marker against the real value; everything around it must be equal."""
        markers = find_markers(was)
        if not markers:
            return None
        match = re.fullmatch("(.+?)".join(map(re.escape, _around(was))), now, re.DOTALL)
        return (
            None if match is None else Mapping("redacted", was, now, tuple(zip(markers, match.groups(), strict=True)))
        )

    def _iso(self, was: str, now: str) -> Mapping | None:
        is_ours = any(self._is_ours(a, b) for a in _instants(was) for b in _instants(now))
        return Mapping("instant", was, now) if is_ours else None


def _around(text: str) -> list[str]:
    """What stands before, between and behind the markers."""
    ends = [0, *(end for match in MARKER.finditer(text) for end in match.span()), len(text)]
    return [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]


def _instants(text: str) -> list[int]:
    """Nanoseconds since 1970 that an ISO date and time can mean: without an offset it is in UTC or in local time."""
    if not ISO.fullmatch(text):
        return []
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:  # the 31st of February
        return []
    meanings = [moment] if moment.tzinfo else [moment, moment.replace(tzinfo=datetime.timezone.utc)]
    return [int(each.timestamp() * 1_000_000) * 1_000 for each in meanings]


def window(start_ns: int, end_ns: int) -> Window:
    """The time of a recording with a second to spare on both sides."""
    return start_ns - SLACK_NS, end_ns + SLACK_NS


def _lies_in(instant_ns: int, limits: Window) -> bool:
    return limits[0] <= instant_ns <= limits[1]


def _ids_in(text: str) -> Iterator[str]:
    return (found.replace("-", "").lower() for found in UUID.findall(text))


def _hex(text: str) -> str | None:
    match = UUID.fullmatch(text)
    return match[0].replace("-", "").lower() if match else None
