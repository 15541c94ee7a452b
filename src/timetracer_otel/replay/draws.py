"""What the application drew from chance in the replay: the proof that a text which it asks with was made of it."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

Pairs: TypeAlias = tuple[tuple[str, str], ...]
"""Parts of a recorded text, each with the one that stands in its place now."""

DRAWS_MAX: Final = 4096
"""The latest numbers and bytes that are remembered: the more there are, the less each of them proves."""
LETTERS_MAX: Final = 65536
TEXT_MAX: Final = 64 * 1024
"""Characters of a text that is looked at."""
LIST_MAX: Final = 1024
"""Items of one drawn list."""
BYTES_MIN: Final = 4
BITS_MAX: Final = 256
HASHED_MAX: Final = 256
"""The latest bytes of which the usual hashes are known too."""
PART_MIN: Final = 6
"""Characters that must be drawn: fewer may be the same by chance."""
CODED_MIN: Final = 8
"""The same of bytes in hex or base64, where a text may begin anywhere."""
SURE: Final = 12
"""So many characters that differ were told by one: nobody else is asked."""
DIGIT_MAX: Final = 9
ZEROS: Final = "000"
"""So many may stand before a number that was drawn smaller than it can be."""
DECIMAL: Final = re.compile(rf"[1-9]\d{{{PART_MIN - 1},}}")
_BETWEEN: Final = re.compile(r"([^0-9A-Za-z]+)")
_DIGITS: Final = re.compile(r"\d+", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PART: Final = re.compile(r"[0-9A-Za-z_+/=-]+")


class _Told(NamedTuple):
    """All draws of one kind as text, of which a part of so many characters is known to be drawn."""

    text: str
    least: int
    kind: re.Pattern[str]
    """Draws of this kind look like it all, or none does."""


class Draws:
    """Without a lock, since chance is drawn anywhere: each step here is one."""

    def __init__(self) -> None:
        self._letters: deque[str] = deque(maxlen=LETTERS_MAX)
        self._numbers: deque[int] = deque(maxlen=DRAWS_MAX)
        self._bytes: deque[bytes] = deque(maxlen=DRAWS_MAX)
        self._texts: deque[_Told] = deque(maxlen=2 * DRAWS_MAX)
        """Of each number and of all bytes, as soon as somebody asks."""
        self._has_drawn, self._stream = False, _Told("", PART_MIN, _DIGITS)

    def __bool__(self) -> bool:
        """True if anything was drawn."""
        return self._has_drawn

    def note(self, drawn: object) -> None:
        """The result of a draw: letters, numbers, bytes, an id of the time. A word is left out, for it was chosen
        among few."""
        for each in drawn[:LIST_MAX] if isinstance(drawn, list) else (drawn,):
            if isinstance(each, str) and len(each) == 1:
                self._letters.append(each)
            elif isinstance(each, bytes) and len(each) >= BYTES_MIN:
                self._bytes.append(each)
            elif isinstance(each, uuid.UUID):
                self._bytes.append(each.bytes)
            elif type(each) is int and 0 <= each <= DIGIT_MAX:
                self._letters.append(str(each))
            elif type(each) is int and 0 < each < 1 << BITS_MAX:
                self._numbers.append(each)
        self._has_drawn = True

    def pairs(self, was: str, now: str) -> Pairs:
        """The parts in which the two texts differ, each drawn here in `now` and of the same look in `was`; empty if
        they are equal, or differ in anything else."""
        if DECIMAL.fullmatch(was) and DECIMAL.fullmatch(now) and was != now and _is_number(now, self._all()):
            return ((was, now),)  # one may have a digit more
        if len(was) != len(now) or len(now) > TEXT_MAX or was == now:
            return ()
        return _drawn([(was, now)], self._all) or _drawn(_pieces(was, now), self._all)

    def _all(self) -> Iterator[_Told]:
        """The latest first. One thread at a time: the session's lock covers it."""
        while self._numbers:
            self._texts.append(_Told("\n".join(_as_texts(self._numbers.popleft())), PART_MIN, _DIGITS))
        while self._bytes:
            data, is_late = self._bytes.popleft(), len(self._bytes) < HASHED_MAX
            texts = chain(_codings(data), _hashes(data) if is_late else ())
            self._texts.append(_Told("\n".join(texts), CODED_MIN, _HEX))
        if (letters := "".join(self._letters.copy())) != self._stream.text:
            self._stream = _Told(letters, PART_MIN, _DIGITS)
        return chain((self._stream,), reversed(self._texts))


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


def _hashes(data: bytes) -> Iterator[str]:
    """Of a token, as it is kept in place of the token itself."""
    encoded = base64.urlsafe_b64encode(data)
    for told in (data, data.hex().encode(), encoded, encoded.rstrip(b"=")):
        for algorithm in ("sha256", "sha1", "md5"):
            yield hashlib.new(algorithm, told, usedforsecurity=False).hexdigest()


def _pieces(was: str, now: str) -> list[tuple[str, str]]:
    """What stands between the same signs in both; none where other signs stand there."""
    then, here = _BETWEEN.split(was), _BETWEEN.split(now)
    return list(zip(then[::2], here[::2], strict=True)) if then[1::2] == here[1::2] else []


def _drawn(texts: Iterable[tuple[str, str]], tellings: Callable[[], Iterable[_Told]]) -> Pairs:
    """Of each two that differ the parts that do; empty where one was not told, or too little of them in all."""
    found = defaultdict[_Told, list[tuple[str, str]]](list)
    for was, now in texts:
        if was == now:
            continue
        longest = max(_parts(was, now, tellings()), key=_length, default=None)  # letters of it may stand in any
        if longest is None:
            return ()
        found[longest[0]].append(longest[1])
    are_drawn = all(_are_alike(parts, told) for told, parts in found.items())
    return tuple(part for parts in found.values() for part in parts) if are_drawn else ()


def _parts(was: str, now: str, tellings: Iterable[_Told]) -> Iterator[tuple[_Told, tuple[str, str]]]:
    """The longest part of `now` around all that differs which was told, with its counterpart; from each who told it."""
    if len(was) != len(now):
        return
    begin, end = _common(was, now), len(now) - _common(was[::-1], now[::-1])
    differing = now[begin:end]
    for told in tellings:
        if differing not in told.text:
            continue
        first, last = begin, end
        while first and now[first - 1 : last] in told.text:
            first -= 1
        while last < len(now) and now[first : last + 1] in told.text:
            last += 1
        yield told, (was[first:last], now[first:last])
        if len(differing) >= SURE:
            return


def _length(found: tuple[_Told, tuple[str, str]]) -> int:
    return len(found[1][1])


def _common(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    known, most = 0, len(one)
    while known < most:  # by halves, in a few comparisons of C
        end = (known + most + 1) // 2
        if one[known:end] == other[known:end]:
            known = end
        else:
            most = end - 1
    return known


def _are_alike(parts: Sequence[tuple[str, str]], told: _Told) -> bool:
    """And enough. No more can be asked of two draws: by chance one of them has no capital or no digit."""
    was, now = ("".join(each) for each in zip(*parts, strict=True))
    is_same_kind = bool(told.kind.fullmatch(was)) == bool(told.kind.fullmatch(now))
    return len(now) >= told.least and is_same_kind and _PART.fullmatch(was + now) is not None
