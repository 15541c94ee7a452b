"""Values that differ in replay although nothing is wrong, and the proof of it: ids made here, instants that were read
from the served clock or reckoned from it, what was drawn from chance, secrets that were redacted. Anything else that
differs is a miss.

Every mapping is one to one: a recorded id stands for the same replayed id from its first use to the outcome.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.base import TEXT_MAX, Slot
from timetracer_otel.replay.given import EVER
from timetracer_otel.replay.instants import (
    YEARS_NS,
    Grain,
    Window,
    are_near,
    first_fraction,
    grain,
    is_fraction,
    lies_in,
    of_iso,
    of_number,
    spelling,
    text_of,
)
from timetracer_otel.replay.local import Local
from timetracer_otel.replay.masked import digest, has_room, hidden, spelled
from timetracer_otel.replay.reads import Reading
from timetracer_otel.replay.renaming import Renaming
from timetracer_otel.replay.varying import OBJECT_ID, UUID, VARYING

Kind: TypeAlias = Literal["uuid4", "object_id", "instant", "drawn", "machine", "trace", "redacted"]
RENAMED: Final = frozenset({"drawn", "uuid4"})
"""Kinds of ids that answers have as this process made them."""
ReadingOf: TypeAlias = Callable[[int, Grain], Reading]
"""Whether an instant is a moment that the application read from the served clock, or whole seconds away from one."""

NUMBER_MAX: Final = 72
"""Characters of a number as people write it, in Extended JSON too."""
BYTES_MAX: Final = TEXT_MAX // 2
"""They are looked through in hex."""
ALONE: Final = ("", "")
"""What stands around an instant that is the whole value."""
MADE: Final = ("made",)
"""The trait of an id that its own mark shows to be made by who asked."""
MADE_MAX: Final = 100_000
"""Ids made in replay that are remembered; beyond it an unknown id is a miss, never a match."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """`recorded` was answered for `replayed`; `pairs` are the ids, draws or secrets that stand for each other."""

    kind: Kind
    recorded: Value
    replayed: Value
    pairs: tuple[tuple[str, str], ...] = ()


class Origins:
    """The proofs of one session. Not thread-safe: the session's lock covers it."""

    def __init__(
        self,
        recorded_ids: Iterable[str],
        recorded: Window,
        replayed: Callable[[], Window],
        reading_of: ReadingOf | None = None,
        local: Local | None = None,
        is_start_up: bool = False,
    ) -> None:
        """`replayed` gives the window in which an instant taken in replay must lie. Without `reading_of` nothing is
        known to be reckoned from the clock, without `local` nothing to be made by the process itself. `is_start_up`:
        what was read need not be near the recorded one, since a start-up takes as long as the machine needs."""
        self._recorded_ids = frozenset(filter(None, map(_hex, recorded_ids)))
        self._recorded, self._replayed, self._reading_of = recorded, replayed, reading_of
        self._local, self._is_start_up = local, is_start_up
        self.renaming = local.renaming if local is not None else Renaming()
        self._made: set[str] = set()
        self._there: dict[tuple[Kind, str], str] = {}
        self._back: dict[tuple[Kind, str], str] = {}
        self._has_renamed = False
        """True once an ObjectId stands for another one."""

    def made(self, value: uuid.UUID) -> None:
        """A uuid4 of this replay that is not a recorded one."""
        if len(self._made) < MADE_MAX:
            self._made.add(value.hex)

    def may_be_local(self, slots: Iterable[Slot]) -> bool:
        """False if `at_ns` proves no more of these slots."""
        return self._local is not None and self._local.may_prove(view for slot in slots for view in _views(slot))

    def proves(
        self,
        recorded: Sequence[Slot],
        asked: Sequence[Slot],
        redacted: frozenset[str] = frozenset(),
        at_ns: int | None = None,
    ) -> tuple[Mapping, ...] | None:
        """What must be mapped so that the two are the same request; None when they are not. `redacted`: paths of the
        slots that hold a marker, or where none has room, a value that stands in for a secret. `at_ns`: when it was
        recorded; without it no value is taken for one that the process itself has made."""
        if len(recorded) != len(asked):
            return None
        found: list[Mapping] = []
        for was, now in zip(recorded, asked, strict=True):
            if was.path != now.path:
                return None
            if was.key == now.key and not self._is_another(was):
                continue
            mapping = self._slot(was, now, was.path in redacted)
            if mapping is None and at_ns is not None:
                mapping = self._local_slot(was, now, at_ns)
            if mapping is None:
                return None
            found.append(mapping)
        return tuple(found) if self._is_consistent(found) else None

    def are_themselves(self, slots: Iterable[Slot]) -> bool:
        """False if an id in these slots of an asked request stands for another recorded one, or another for it: an
        equal recorded request is then about something else."""
        return not self._has_renamed or not any(map(self._is_another, slots))

    def _is_another(self, slot: Slot) -> bool:
        if not self._has_renamed:
            return False
        found = [slot.made] if slot.made is not None else OBJECT_ID.findall(slot.text or "")
        return not all(self._is_the_same(each, each) for each in found)

    def _is_the_same(self, was: str, now: str) -> bool:
        """Of two ObjectIds in hex, wherever they stand: other stores are told of an id that MongoDB's driver made."""
        return (
            self._there.get(("object_id", was), now) == now
            and self._back.get(("object_id", now), was) == was
            and (was == now or ("object_id", was) in self._there)
        )

    def recorded_trait(self, slot: Slot) -> Hashable:
        """What the asked slot must have as well, so that a proof can find the two to be the same. See `asked_trait`."""
        return self._trait(slot, self._recorded, self._recorded_ids.__contains__)

    def asked_trait(self, slot: Slot) -> Hashable:
        """As `recorded_trait`: never unequal where a proof exists."""
        return self._trait(slot, self._replayed(), lambda found: found in self._made or found in self._recorded_ids)

    def reckoned(self, slots: Iterable[tuple[int, Slot]]) -> tuple[int, int] | None:
        """Of the asked slots with their numbers the first that only a recorded one with an instant near its own can
        prove: its number, and that instant in nanoseconds."""
        if self._reading_of is None:
            return None
        limits = self._replayed()
        for number, slot in slots:
            instant = first_fraction(slot)
            if instant is not None and not lies_in(instant, limits):
                return number, instant
        return None

    def recorded_ids(self, slots: Iterable[Slot]) -> frozenset[str]:
        """The recorded ids that these recorded slots hold."""
        slots = tuple(slots)
        made = frozenset(slot.made for slot in slots if slot.made)
        return made | self._recorded_ids.intersection(_ids_of(slots)) if self._recorded_ids else made

    def needed_ids(self, slots: Iterable[Slot]) -> frozenset[str]:
        """The recorded ids that a recorded request must hold to be the same as one with these slots."""
        slots = tuple(slots)
        made = (self._back.get(("object_id", slot.made)) for slot in slots if slot.made)
        needed = frozenset(each for each in made if each is not None)
        if not self._recorded_ids:
            return needed
        known = (self._back.get(("uuid4", found), found) for found in _ids_of(slots))
        return needed | self._recorded_ids.intersection(known)

    def proves_text(self, recorded: Value, replayed: Value) -> Mapping | None:
        """The same for one value of the outcome: ids, draws and secrets in text, instants in text and numbers."""
        was, now = text_of(recorded), text_of(replayed)
        if type(recorded) is not type(replayed) or was is None or now is None:
            return None
        found = self._texts(was, now) or self._local_texts(was, now, EVER)
        if found is None or not self._is_consistent([found]):
            return None
        return Mapping(found.kind, recorded, replayed, found.pairs)

    def supplied(self, secrets: Iterable[tuple[str, str]]) -> None:
        """Markers of which the secrets are known: each stands for this value and for nothing else."""
        pairs = tuple((digest(marker), value) for marker, value in secrets)
        self.bind([Mapping("redacted", None, None, pairs)])

    def bind_equal(self, slots: Iterable[Slot]) -> None:
        """Recorded ids that came back as they were stand for themselves, unless the app made others in their place."""
        slots = tuple(slots)
        for made in (slot.made for slot in slots if slot.made):
            if ("object_id", made) not in self._there and ("object_id", made) not in self._back:
                self.bind([Mapping("object_id", made, made, ((made, made),))])
        texts = (slot.text for slot in slots if slot.text) if self._recorded_ids else ()
        for found in (one for text in texts for one in _ids_in(text) if one in self._recorded_ids):
            if ("uuid4", found) not in self._there and ("uuid4", found) not in self._back:
                self.bind([Mapping("uuid4", found, found, ((found, found),))])

    def bind(self, mappings: Iterable[Mapping]) -> None:
        """From now on these stand for each other, and for nothing else."""
        for mapping in mappings:
            if mapping.kind in RENAMED:
                self.renaming.add(mapping.pairs)
            for was, now in mapping.pairs:
                self._there[mapping.kind, was] = now
                self._back[mapping.kind, now] = was
                if mapping.kind == "drawn" and self._local is not None:
                    self._local.known.add(was, now)
                self._has_renamed = self._has_renamed or (mapping.kind == "object_id" and was != now)

    def _is_consistent(self, mappings: Sequence[Mapping]) -> bool:
        there: dict[tuple[Kind, str], str] = {}
        back: dict[tuple[Kind, str], str] = {}
        for mapping in mappings:
            for was, now in mapping.pairs:
                first, second = (mapping.kind, was), (mapping.kind, now)
                if there.setdefault(first, self._there.get(first, now)) != now:
                    return False
                if back.setdefault(second, self._back.get(second, was)) != was:
                    return False
        return True

    def _slot(self, was: Slot, now: Slot, is_redacted: bool) -> Mapping | None:
        if was.made is not None and now.made is not None:
            return None if now.is_known else Mapping("object_id", was.shown, now.shown, ((was.made, now.made),))
        if was.instant_ns is not None and now.instant_ns is not None:
            is_ours = self._is_ours(was.instant_ns, now.instant_ns) or self._is_reckoned(was.instant_ns, now.instant_ns)
            return Mapping("instant", was.shown, now.shown) if is_ours and _are_of_one_kind(was.key, now.key) else None
        before, after = _text(was), _text(now)
        found = self._texts(before, after) if before is not None and after is not None else None
        if found is not None and (found.kind == "redacted" or _are_of_one_kind(was.key, now.key)):
            return Mapping(found.kind, was.shown, now.shown, found.pairs)
        return self._redacted(was, now) if is_redacted else None

    def _redacted(self, was: Slot, now: Slot) -> Mapping | None:
        """Of what is no text: the bytes around the markers must be equal. A value without room for one may be any."""
        before, after = spelled(was), spelled(now)
        if before is None or after is None or not has_room(before):
            return Mapping("redacted", was.shown, now.shown, ((repr(was.key), repr(now.key)),))
        secrets = hidden(before, after)
        return None if secrets is None else Mapping("redacted", was.shown, now.shown, secrets)

    def _local_slot(self, was: Slot, now: Slot, at_ns: int) -> Mapping | None:
        has_origin = any(each.instant_ns is not None or each.made is not None for each in (was, now))
        if has_origin or not _are_of_one_kind(was.key, now.key):  # the clock or a driver's mark would prove it
            return None
        tried = (self._local_texts(*texts, at_ns) for texts in zip(_views(was), _views(now), strict=False))
        found = next((each for each in tried if each is not None), None)
        return found and Mapping(found.kind, was.shown, now.shown, found.pairs)

    def _local_texts(self, was: str, now: str, at_ns: int) -> Mapping | None:
        if self._local is None:
            return None
        found = self._local.proof(was, now, at_ns, self._is_read_here)
        return found and Mapping(found[0], was, now, found[1])

    def _texts(self, was: str, now: str) -> Mapping | None:
        if (made := self._made_here(was, now)) is not None:
            return made
        secrets = hidden(was, now)
        return None if secrets is None else Mapping("redacted", was, now, secrets)

    def _made_here(self, was: str, now: str) -> Mapping | None:
        """The two texts with every id and instant that differs made by the app, then and now."""
        if VARYING.split(was) != VARYING.split(now):
            return None
        found = list(zip(VARYING.findall(was), VARYING.findall(now), strict=True))
        objects = [(a, b) for a, b in found if OBJECT_ID.fullmatch(a) and OBJECT_ID.fullmatch(b)]
        pairs = [each for each in found if each[0] != each[1] and each not in objects]
        if not (all(self._is_the_same(*each) for each in objects) and all(self._is_made_here(*each) for each in pairs)):
            return None
        ids = tuple((a, b) for a, b in ((_hex(a), _hex(b)) for a, b in pairs) if a is not None and b is not None)
        if pairs:
            return Mapping("uuid4" if ids else "instant", was, now, ids)
        renamed = tuple((a, b) for a, b in objects if a != b)
        return Mapping("object_id", was, now, renamed) if renamed else None

    def _is_made_here(self, was: str, now: str) -> bool:
        first, second = _hex(was), _hex(now)
        if first is None:
            return self._is_read_here(was, now)
        return first in self._recorded_ids and second in self._made

    def _is_read_here(self, was: str, now: str) -> bool:
        """True for two instants of the served clock in one spelling: another offset or precision is another value."""
        first, second = of_number(was), of_number(now)
        if first is not None and second is not None:
            return was.find(".") == now.find(".") and self._is_reckoned(first, second)
        instants = [(a, b) for a in of_iso(was) for b in of_iso(now)]
        is_ours = any(self._is_ours(*each) or self._is_reckoned(*each) for each in instants)
        return is_ours and spelling(was) == spelling(now)

    def _is_ours(self, recorded_ns: int, asked_ns: int) -> bool:
        """True where both are of the time of the run. What is whole seconds away from it is another offset, unless
        `_is_reckoned` says that it was the same one."""
        if not self._are_of_the_run(recorded_ns, asked_ns):
            return False
        if self._reading_of is None or not is_fraction(asked_ns):
            return True
        return self._reading_of(asked_ns, grain(asked_ns)) != "seconds away"

    def _are_of_the_run(self, recorded_ns: int, asked_ns: int) -> bool:
        return lies_in(recorded_ns, self._recorded) and lies_in(asked_ns, self._replayed())

    def _is_reckoned(self, recorded_ns: int, asked_ns: int) -> bool:
        """True where the app has read a moment that is whole seconds away from what it asks with: `now() + 1h`. That it
        is as far from it as then is known to half a second."""
        if self._reading_of is None or not (self._may_be_reckoned(recorded_ns) and self._may_be_reckoned(asked_ns)):
            return False
        is_near = are_near(recorded_ns, asked_ns) or (self._is_start_up and self._are_of_the_run(recorded_ns, asked_ns))
        return is_near and self._reading_of(asked_ns, grain(recorded_ns)) != ""

    def _trait(self, slot: Slot, limits: Window, is_ours: Callable[[str], bool]) -> Hashable:
        """The text around the ids and instants that may differ; the key where none may."""
        if slot.made is not None:
            return MADE
        if slot.instant_ns is not None and self._may_pass(slot.instant_ns, limits):
            return ALONE
        text, around, end = _text(slot) or "", [], 0
        for match in VARYING.finditer(text):
            if self._may_vary(match[0], limits, is_ours):
                around.append(text[end : match.start()])
                end = match.end()
        return (*around, text[end:]) if around else (None, slot.key)

    def _may_vary(self, found: str, limits: Window, is_ours: Callable[[str], bool]) -> bool:
        if OBJECT_ID.fullmatch(found):
            return True
        if (as_id := _hex(found)) is not None:
            return is_ours(as_id)
        if (number := of_number(found)) is not None:
            return self._may_be_reckoned(number)
        return any(self._may_pass(instant, limits) for instant in of_iso(found))

    def _may_pass(self, instant_ns: int, limits: Window) -> bool:
        return lies_in(instant_ns, limits) or self._may_be_reckoned(instant_ns)

    def _may_be_reckoned(self, instant_ns: int) -> bool:
        is_plausible = is_fraction(instant_ns) and abs(instant_ns - self._recorded[0]) < YEARS_NS
        return self._reading_of is not None and is_plausible


def _text(slot: Slot) -> str | None:
    """All of it: what is shown of a value that is too long to have a text is a part of it, or its checksum."""
    if slot.text is not None:
        return slot.text
    shown = text_of(slot.shown)
    return shown if shown is not None and len(shown) <= NUMBER_MAX else None


def _views(slot: Slot) -> Iterator[str]:
    """The text of a value, and its bytes in hex where they are none, unless there are too many to look through."""
    if (text := _text(slot)) is not None:
        yield text
    data = _bytes_in(slot.key) if text is None or not text.isascii() else None
    if data is not None and len(data) <= BYTES_MAX:
        yield data.hex()


def _bytes_in(key: Hashable) -> bytes | None:
    """A key is the bytes themselves, or says of which kind they are."""
    last = key[-1] if isinstance(key, tuple) and key else key
    return last if isinstance(last, bytes) else None


def _are_of_one_kind(key: Hashable, other: Hashable) -> bool:
    """Of two keys that differ: they do so in the value alone, which comes last."""
    if not (isinstance(key, tuple) and isinstance(other, tuple)):
        return type(key) is type(other)
    return key[:-1] == other[:-1] and [*map(type, key)] == [*map(type, other)]


def _ids_of(slots: Iterable[Slot]) -> Iterator[str]:
    return (found for slot in slots if slot.text for found in _ids_in(slot.text))


def unbound() -> Origins:
    """Of a recording of which no id and no instant is known: ids that a driver made and secrets may be any."""
    return Origins((), (0, 0), lambda: (0, 0))


def _ids_in(text: str) -> Iterator[str]:
    return (found.replace("-", "").lower() for found in UUID.findall(text))


def _hex(text: str) -> str | None:
    match = UUID.fullmatch(text)
    return match[0].replace("-", "").lower() if match else None
