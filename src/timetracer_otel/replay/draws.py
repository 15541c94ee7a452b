"""What the application drew from chance in the replay: the proof that a text which it asks with was made of it."""

from __future__ import annotations

import base64
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final, NamedTuple, TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Parts of a recorded text, each with the one that stands in its place now."""

DRAWS_MAX: Final = 4096
"""The latest numbers and bytes that are remembered: the more there are, the less each of them proves."""
LETTERS_MAX: Final = 65536
LIST_MAX: Final = 1024
"""Items of one drawn list."""
BYTES_MIN: Final = 4
BITS_MAX: Final = 256
PART_MIN: Final = 6
"""Characters that must be drawn: fewer may be the same by chance."""
CODED_MIN: Final = 8
"""The same of bytes in hex or base64, where a text may begin anywhere."""
DIGIT_MAX: Final = 9
ZEROS: Final = "000"
"""So many may stand before a number that was drawn smaller than it can be."""
DECIMAL: Final = re.compile(rf"[1-9]\d{{{PART_MIN - 1},}}")
_BETWEEN: Final = re.compile(r"([^0-9A-Za-z]+)")
_PART: Final = re.compile(r"[0-9A-Za-z_+/=-]+")


class _Told(NamedTuple):
    """All draws of one kind as text, of which a part of so many characters is known to be drawn."""

    text: str
    least: int


class Draws:
    """Without a lock, since chance is drawn anywhere: each step here is one."""

    def __init__(self) -> None:
        self._letters: deque[str] = deque(maxlen=LETTERS_MAX)
        self._numbers: deque[int] = deque(maxlen=DRAWS_MAX)
        self._bytes: deque[bytes] = deque(maxlen=DRAWS_MAX)
        self._counter, self._last = count(1), 0
        self._told: tuple[int, tuple[_Told, ...]] = (0, ())

    def __bool__(self) -> bool:
        """True if anything was drawn."""
        return self._last > 0

    def note(self, drawn: object) -> None:
        """The result of a draw. A word is left out: it was chosen among few, and may be the same by chance."""
        for each in drawn[:LIST_MAX] if isinstance(drawn, list) else (drawn,):
            if isinstance(each, str) and len(each) == 1:
                self._letters.append(each)
            elif isinstance(each, bytes) and len(each) >= BYTES_MIN:
                self._bytes.append(each)
            elif type(each) is int and 0 <= each <= DIGIT_MAX:
                self._letters.append(str(each))
            elif type(each) is int and 0 < each < 1 << BITS_MAX:
                self._numbers.append(each)
        self._last = next(self._counter)

    def pairs(self, was: str, now: str) -> Pairs | None:
        """The parts in which the two texts differ, each drawn here in `now` and of the same look in `was`; None if they
        are equal, or differ in anything else."""
        letters, numbers, coded = self._all()
        if DECIMAL.fullmatch(was) and DECIMAL.fullmatch(now) and was != now and f"\n{ZEROS}{now}\n" in numbers.text:
            return ((was, now),)  # one may have a digit more
        if len(was) != len(now) or was == now:
            return None
        return _drawn([(was, now)], (letters, numbers, coded)) or _drawn(_pieces(was, now), (letters, numbers, coded))

    def _all(self) -> tuple[_Told, ...]:
        last, (at, told) = self._last, self._told
        if at != last or not told:
            numbers = "\n".join(text for each in self._numbers.copy() for text in _as_texts(each))
            coded = "\n".join(text for each in self._bytes.copy() for text in _codings(each))
            letters = "".join(self._letters.copy())
            told = (_Told(letters, PART_MIN), _Told(f"\n{numbers}\n", PART_MIN), _Told(coded, CODED_MIN))
            self._told = last, told
        return told


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


def _pieces(was: str, now: str) -> list[tuple[str, str]]:
    """What stands between the same signs in both; none where other signs stand there."""
    then, here = _BETWEEN.split(was), _BETWEEN.split(now)
    return list(zip(then[::2], here[::2], strict=True)) if then[1::2] == here[1::2] else []


def _drawn(texts: Iterable[tuple[str, str]], tellings: Iterable[_Told]) -> Pairs | None:
    """Of each two that differ the parts that do; None where one was not told, or too little of them in all."""
    parts, lengths = list[tuple[str, str]](), Counter[_Told]()
    for was, now in texts:
        if was == now:
            continue
        found = next(((told, part) for told in tellings if (part := _part(was, now, told.text)) is not None), None)
        if found is None:
            return None
        parts.append(found[1])
        lengths[found[0]] += len(found[1][1])
    is_enough = all(length >= told.least for told, length in lengths.items())
    return tuple(parts) if parts and is_enough else None


def _part(was: str, now: str, told: str) -> tuple[str, str] | None:
    """The longest part of `now` around all that differs which was told, with its counterpart."""
    if len(was) != len(now):
        return None
    first, last = _common(was, now), len(now) - _common(was[::-1], now[::-1])
    if now[first:last] not in told:
        return None
    while first and now[first - 1 : last] in told:
        first -= 1
    while last < len(now) and now[first : last + 1] in told:
        last += 1
    pair = was[first:last], now[first:last]
    return pair if _are_alike(*pair) else None


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many characters they begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))


def _are_alike(was: str, now: str) -> bool:
    """No more can be asked of two draws: by chance one of them has no capital or no digit."""
    return was.isdecimal() == now.isdecimal() and _PART.fullmatch(was) is not None and _PART.fullmatch(now) is not None
