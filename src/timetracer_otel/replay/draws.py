"""What the application drew from chance in the replay: the proof that a text which it asks with was made of it."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final, NamedTuple, TypeAlias

from timetracer_otel.drivers.base import TEXT_MAX
from timetracer_otel.replay.makers import Made, look

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Parts of a recorded text, each with the one that stands in its place now."""

DRAWS_MAX: Final = 4096
"""The latest numbers and bytes that are remembered: the more there are, the less each of them proves."""
LETTERS_MAX: Final = 16384
STREAMS_MAX: Final = 64
"""Threads whose letters are remembered."""
LIST_MAX: Final = 1024
"""Items of one drawn list."""
BYTES_MIN: Final = 4
BITS_MAX: Final = 256
UUID_BYTES: Final = 16
BASE32: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
"""To the digits of a ULID."""
HASHED_MAX: Final = 256
"""The latest bytes of which the usual hashes are known too."""
PART_MIN: Final = 6
"""Characters that must be drawn: fewer may be the same by chance."""
CODED_MIN: Final = 8
"""The same of bytes in hex or base64, where a text may begin anywhere."""
WHOLE_MAX: Final = 32 * DRAWS_MAX
STEP: Final = 64
"""So many characters are compared first where two texts may differ; twice as many each time they do not."""
SURE: Final = 12
"""So many characters that differ were told by one: nobody else is asked."""
DIGIT_MAX: Final = 9
ZEROS: Final = "000"
"""So many may stand before a number that was drawn smaller than it can be."""
DECIMAL: Final = re.compile(rf"[1-9]\d{{{PART_MIN - 1},}}")
_SIGNS: Final = re.compile(r"[^0-9A-Za-z]+")
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_WORD: Final = re.compile(r"[0-9A-Za-z_-]+")
_GROUP: Final = re.compile(r"[0-9A-Za-z]+")
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PART: Final = re.compile(r"[0-9A-Za-z_+/=-]+")


class _Told(NamedTuple):
    """All draws of one kind as text, of which a part of so many characters is known to be drawn."""

    text: str
    least: int
    kind: re.Pattern[str]
    """Draws of this kind look like it all, or none does."""
    is_number: bool = False
    """A line is a number, which proves itself as a whole: of many numbers any few digits are a part."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Of a text: from where to where it was told."""

    first: int
    end: int
    told: _Told

    def of(self, text: str) -> str:
        return text[self.first : self.end]

    def __len__(self) -> int:
        return self.end - self.first


class Draws:
    """Of a process. `note` takes no lock, since chance is drawn anywhere: each step of it is one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        """Of those that ask: several sessions of a process may."""
        self._letters: deque[tuple[int, str]] = deque(maxlen=LETTERS_MAX)
        """Each with the thread that drew it, since somebody asked."""
        self._streams: dict[int, str] = {}
        """Those before, of the latest threads that drew: several may at once, and each has an order of its own."""
        self._numbers: deque[int] = deque(maxlen=DRAWS_MAX)
        self._bytes: deque[bytes] = deque(maxlen=DRAWS_MAX)
        self._ids: deque[Made] = deque(maxlen=DRAWS_MAX)
        self._texts: deque[_Told] = deque(maxlen=2 * DRAWS_MAX)
        """Of each number, of all bytes and ids, as soon as somebody asks."""
        self._whole: dict[str, _Told] = {}
        """Each of their lines, for those that stand by themselves: of thousands most do."""
        self._has_drawn, self._stream = False, _Told("", PART_MIN, _DIGITS)
        self._asked, self._found = "", dict[tuple[int, int], _Part]()
        """The text that was asked about last, and the longest part around each place: of many recorded ones in turn."""

    def __bool__(self) -> bool:
        """True if anything was drawn."""
        return self._has_drawn

    def note(self, drawn: object) -> None:
        """The result of a draw: letters, numbers, bytes. A word is left out, for it was chosen
        among few."""
        thread = threading.get_ident()
        for each in drawn[:LIST_MAX] if isinstance(drawn, list) else (drawn,):
            if isinstance(each, str) and len(each) == 1:
                self._letters.append((thread, each))
            elif isinstance(each, bytes) and len(each) >= BYTES_MIN:
                self._bytes.append(each)
            elif type(each) is int and 0 <= each <= DIGIT_MAX:
                self._letters.append((thread, str(each)))
            elif type(each) is int and 0 < each < 1 << BITS_MAX:
                self._numbers.append(each)
        self._has_drawn = True

    def note_id(self, made: object) -> None:
        """What a library made of the time and of chance."""
        self._ids.append(look(made))
        self._has_drawn = True

    def pairs(self, was: str, now: str) -> Pairs:
        """The parts in which the two texts differ, each drawn here in `now` and of the same look in `was`; empty if
        they are equal, or differ in anything else."""
        with self._lock:
            if DECIMAL.fullmatch(was) and DECIMAL.fullmatch(now) and was != now and _is_number(now, self._all()):
                return ((was, now),)  # one may have a digit more
            if len(was) != len(now) or len(now) > TEXT_MAX or was == now:
                return ()
            return self._drawn(was, now)

    def _drawn(self, was: str, now: str) -> Pairs:
        """Of two texts as long as each other the parts that differ; empty where one was not told, or is too short."""
        parts, at = list[_Part](), _common(was, now, 0)
        while at < len(now):
            found = self._longest(now, at, parts[-1].end if parts else 0)
            if not _PART.fullmatch(found.of(was) + found.of(now)):
                return ()
            joined = _joined(parts[-1], found, now) if parts else None
            if joined is not None:
                parts[-1] = joined
            elif parts and not _proves(parts[-1], was, now):
                return ()
            else:
                parts.append(found)
            at = _common(was, now, found.end)
        return tuple((each.of(was), each.of(now)) for each in parts) if _proves(parts[-1], was, now) else ()

    def _longest(self, now: str, at: int, first: int) -> _Part:
        """Around this place what was told; it begins at `first` or later. Letters of it may stand in any draw."""
        tellings = self._all()
        if now != self._asked:
            self._asked, self._found = now, {}
        if (known := self._found.get((at, first))) is not None:
            return known
        whole = self._by_itself(now, at, first)
        if whole is not None and len(whole) >= SURE:
            return whole
        longest = _around(now, at, first, next(tellings))
        for told in tellings:
            if len(longest) >= SURE:
                break
            longest = max(longest, _around(now, at, first, told), key=len)
        self._found[at, first] = longest
        return longest

    def _by_itself(self, now: str, at: int, first: int) -> _Part | None:
        """A draw with signs or the ends of the text around it."""
        for kind in (_PART, _GROUP):
            found = kind.match(now, _start(now, at, first, kind))
            told = self._whole.get(found[0]) if found is not None else None
            if found is not None and told is not None:
                return _Part(found.start(), found.end(), told)
        return None

    def _all(self) -> Iterator[_Told]:
        """The latest first."""
        has_more = bool(self._numbers or self._bytes or self._ids)
        while self._numbers:
            self._texts.append(_Told("\n".join(_as_texts(self._numbers.popleft())), PART_MIN, _DIGITS, True))
        while self._bytes:
            data, is_late = self._bytes.popleft(), len(self._bytes) < HASHED_MAX
            texts = chain(_codings(data), _hashes(data) if is_late else ())
            self._add(_Told("\n".join(texts), CODED_MIN, _HEX))
        while self._ids:
            text, data, version = self._ids.popleft()
            kind = _WORD if version is None else re.compile(rf"[0-9a-f]{{12}}{version:x}[0-9a-f]{{19}}", re.IGNORECASE)
            self._add(_Told("\n".join((text, *(_codings(data) if data else ()))), CODED_MIN, kind))
        if self._letters:
            self._take_letters()
            self._stream, has_more = _Told("\n".join(self._streams.values()), PART_MIN, _DIGITS), True
        if has_more:
            self._found = {}
        return chain((self._stream,), reversed(self._texts))

    def _add(self, told: _Told) -> None:
        self._texts.append(told)
        self._whole.update(dict.fromkeys(told.text.split("\n"), told))
        if len(self._whole) > WHOLE_MAX:
            self._whole = dict(islice(self._whole.items(), WHOLE_MAX // 2, None))

    def _take_letters(self) -> None:
        new = defaultdict[int, list[str]](list)
        while self._letters:
            thread, letter = self._letters.popleft()
            new[thread].append(letter)
        for thread, letters in new.items():
            self._streams[thread] = (self._streams.pop(thread, "") + "".join(letters))[-LETTERS_MAX:]
        for thread in list(self._streams)[:-STREAMS_MAX]:
            del self._streams[thread]


def _is_number(text: str, told: Iterable[_Told]) -> bool:
    return any(each.text.startswith(f"{ZEROS}{text}\n") for each in told)


def is_part_of(was: str, now: str, whole_was: str, whole_now: str) -> bool:
    """True if the pair stands in the other one, at the same place in both."""
    return any(whole_now.startswith(now, found.start()) for found in re.finditer(re.escape(was), whole_was))


def _as_texts(number: int) -> Iterator[str]:
    """In each a part may begin with some of the zeros."""
    return (f"{ZEROS}{text}" for text in (f"{number}", f"{number:x}", f"{number:X}"))


def _codings(data: bytes) -> Iterator[str]:
    yield from (data.hex(), data.hex().upper())
    for coding in (base64.b64encode, base64.urlsafe_b64encode, base64.b32encode):
        yield coding(data).decode().rstrip("=")
    if len(data) == UUID_BYTES:
        yield str(uuid.UUID(bytes=data))
        yield _ulid(data)


def _ulid(data: bytes) -> str:
    """Two zero bits stand before the 128. Source: the ULID specification, its canonical string."""
    return base64.b32encode(bytes(4) + data).decode().translate(BASE32)[6:]


def _hashes(data: bytes) -> Iterator[str]:
    """Of a token, as it is kept in place of the token itself."""
    encoded = base64.urlsafe_b64encode(data)
    for told in (data, data.hex().encode(), encoded, encoded.rstrip(b"=")):
        for algorithm in ("sha256", "sha1", "md5"):
            yield hashlib.new(algorithm, told, usedforsecurity=False).hexdigest()


def _around(now: str, at: int, first: int, told: _Told) -> _Part:
    """The longest part around this place that was told; it begins at `first` or later."""
    end = at
    while end < len(now) and now[at : end + 1] in told.text:
        end += 1
    while first < at < end and now[at - 1 : end] in told.text:
        at -= 1
    return _Part(at, end, told)


def _start(now: str, at: int, first: int, kind: re.Pattern[str]) -> int:
    """Of the letters of this kind around the place; not of those that are further away than any draw is long."""
    first = max(first, at - BITS_MAX)
    while at > first and kind.match(now, at - 1):
        at -= 1
    return at


def _joined(one: _Part, other: _Part, now: str) -> _Part | None:
    """As one if both are groups of one draw: XK81-PQ22. Short ones that were drawn apart would stand anywhere."""
    whole = replace(one, end=other.end)
    is_short = min(len(one), len(other)) < one.told.least
    return whole if is_short and one.told is other.told and _signless(whole.of(now)) in one.told.text else None


def _proves(part: _Part, was: str, now: str) -> bool:
    """It looks alike, and is enough. No more can be asked of two draws: by chance one of them has no capital or no
    digit, and hex has no letter."""
    then, here, told = _signless(part.of(was)), _signless(part.of(now)), part.told
    is_same_kind = bool(told.kind.fullmatch(then)) == bool(told.kind.fullmatch(here))
    if told.is_number and part.of(now).lstrip("0") not in [each.lstrip("0") for each in told.text.split("\n")]:
        return False
    is_hex = told.kind in (_DIGITS, _HEX) and _HEX.fullmatch(then + here) is not None
    is_enough = part.of(now) in told.text or len(here) >= told.least
    is_alike = (is_same_kind or is_hex) and not _are_in_other_capitals(then, here)
    return is_enough and len(part) >= told.least and is_alike


def _are_in_other_capitals(then: str, here: str) -> bool:
    """True for hex or letters alone, all small in one and all capitals in the other: chance does not do that."""
    is_looked_at = (_HEX.fullmatch(then) and _HEX.fullmatch(here)) or (then + here).isalpha()
    return bool(is_looked_at) and ((then.islower() and here.isupper()) or (then.isupper() and here.islower()))


def _signless(text: str) -> str:
    return _SIGNS.sub("", text)


def _common(one: str, other: str, at: int) -> int:
    """Up to where they are alike from this place on."""
    step = STEP
    while one[at : at + step] == other[at : at + step] and at < len(one):
        at += step
        step *= 2
    most = min(at + step, len(one))
    while at < most:  # by halves, in a few comparisons of C
        end = (at + most + 1) // 2
        if one[at:end] == other[at:end]:
            at = end
        else:
            most = end - 1
    return min(at, len(one))
