"""Secrets known by their shape, in bytes of any kind: a cheap prefilter, then one rule after another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, AnyStr, Final, TypeAlias

from timetracer_otel.cassette.pieces import is_large, pieces
from timetracer_otel.cassette.recent import Recent
from timetracer_otel.config import KIB
from timetracer_otel.redaction import rare_letters
from timetracer_otel.redaction.codings import MAGICS
from timetracer_otel.redaction.markers import MARKER_BYTES, Mark
from timetracer_otel.redaction.names import Names

if TYPE_CHECKING:
    from timetracer_otel.redaction.shapes import Shape

_SHORTEST_HIT: Final = len(b"pwd=x")
REMEMBERED_MIN_BYTES: Final = 256 * KIB
"""Smaller data is looked at anew each time."""

# Beginning with one letter, they take no longer than a search for one word.
_SMALL_SCHEME: Final = re.compile(r"b(?:earer|asic|EARER|ASIC)[ \t]")
_CAPITAL_SCHEME: Final = re.compile(r"B(?:earer|asic|EARER|ASIC)[ \t]")

_OTHERS: Final = bytes(byte for byte in range(256) if byte not in set(b"".join(MAGICS)))
"""What is in none of them."""
# With the data, behind a byte of zeros, behind a length of Redis or one of PostgreSQL.
_VALUE_BEGINS: Final = re.compile(rb"(?:\A|(?<=\0)|(?<=\d\r\n)|(?<=\0\0[\s\S][\s\S]))x")

_WORDS: Final = (
    *(("AKIA", 2), ("ASIA", 2), ("AIza", 1), ("eyJ", 2), ("-----BEGIN ", 6), ("Failing row contains (", 0)),
    ("sig=", 2),
)
"""With the place of their rare letter."""

Prefilter: TypeAlias = Callable[[str], bool]
"""(text, or bytes as latin-1) -> False if a further shape cannot be in it."""


class Patterns:
    """The shapes of one set of rules, which are compiled with `compile` or for the first suspicious data: most replays
    meet none."""

    def __init__(self, names: Names, further: Sequence[Shape] = (), may_hold: Prefilter | None = None) -> None:
        """`further` shapes hit only where `may_hold` is true, of text or bytes as latin-1; without it anywhere."""
        self._names = names
        self._further: Final = tuple(further)
        self._shapes: tuple[Shape, ...] = ()
        self.has_further: Final = bool(further)
        self._may_hold_further = (may_hold or _always) if further else None
        self._shortest = 1 if further else _SHORTEST_HIT
        self._reach = max(names.reach, *(len(word) for word, _ in _WORDS))
        self._clean: Final[Recent[bool]] = Recent()
        """Large data that nothing can hit."""

    def compile(self) -> tuple[Shape, ...]:
        """The shapes, one by one in the order in which they go over the data."""
        if not self._shapes:
            from timetracer_otel.redaction import signed_urls
            from timetracer_otel.redaction.duplicate_keys import duplicate_keys
            from timetracer_otel.redaction.encoded_text import EncodedText
            from timetracer_otel.redaction.pair_shapes import paired_shapes
            from timetracer_otel.redaction.prose import said
            from timetracer_otel.redaction.shapes import secret_shapes

            names = self._names
            own = (duplicate_keys(names), *secret_shapes(names), *paired_shapes(names), said(names))
            plain = (*own, *signed_urls.SHAPES, *self._further)
            self._shapes = (*plain, EncodedText(partial(_scrubbed_by, plain, names)))
        return self._shapes

    def suspicious(self, data: bytes) -> bool:
        """False if nothing can hit `data`: literal searches only, those for names only where an assignment can be."""
        if len(data) > REMEMBERED_MIN_BYTES:
            return self._is_large_suspicious(data)
        return len(data) >= self._shortest and self._is_suspicious(data.decode("latin-1"), data)

    def suspicious_text(self, text: str) -> bool:
        """`suspicious` of text, without a copy of it as bytes in the usual case."""
        if len(text) < self._shortest:
            return False
        if is_large(len(text)) and not self.has_further:
            return self._hits_somewhere(text)
        return self.holds_shape(text) or (_can_assign(text) and self._names.holds_text(text))

    def shaped(self, data: bytes) -> bool:
        """`holds_shape` of bytes."""
        if is_large(len(data)) and not self.has_further:
            return self._hits_somewhere(data, asks_names=False)
        view = data.decode("latin-1")
        return self.holds_shape(view) or (not view.isascii() and _may_be_compressed(view, data))

    def holds_shape(self, view: str) -> bool:
        """False if `view`, text or bytes as latin-1, holds nothing that is known without a name beside it.

        Written out, each search behind one for a rare letter, and on text, where `in` costs a tenth of what it costs
        on bytes: this runs over all that is recorded.
        """
        if len(view) > rare_letters.LONG:
            return self._holds_shape_somewhere(view)
        return (
            ("I" in view and ("AKIA" in view or "ASIA" in view or "AIza" in view))
            or ("J" in view and "eyJ" in view)
            or ("@" in view and "://" in view)
            or ("E" in view and "-----BEGIN " in view)
            or ("F" in view and "Failing row contains (" in view)
            or ("=" in view and "sig=" in view)
            or ("%" in view and _may_encode(view))
            or ((" " in view or "\t" in view) and _holds_scheme(view))
            or (self._may_hold_further is not None and self._may_hold_further(view))
        )

    def _holds_shape_somewhere(self, view: str) -> bool:
        return (
            _holds_token(view)
            or ("%" in view and _may_encode(view))
            or ("@" in view and rare_letters.holds(view, "://", 0))
            or (self._may_hold_further is not None and self._may_hold_further(view))
        )

    def scrub(self, data: bytes, mark: Mark) -> bytes:
        """`data` with every hit masked; the same object when nothing hits. Markers that it holds are left alone."""
        return self._scrubbed(data, mark) if self.suspicious(data) else data

    def scrub_text(self, text: str, mark: Mark) -> str:
        """`text` with every hit masked; the same object when nothing hits."""
        if not self.suspicious_text(text):
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self._scrubbed(data, mark)
        return text if masked is data else masked.decode("utf-8", "surrogatepass")

    def _is_suspicious(self, view: str, data: bytes) -> bool:
        return (
            self.holds_shape(view)
            or (_can_assign(view) and self._names.holds(data))
            or (not view.isascii() and _may_be_compressed(view, data))
        )

    def _is_large_suspicious(self, data: bytes) -> bool:
        if self._clean.get(data):
            return False
        if self.has_further:
            is_suspicious = self._is_suspicious(data.decode("latin-1"), data)
        else:
            is_suspicious = self._hits_somewhere(data)
        if not is_suspicious:
            self._clean.put(data, True)
        return is_suspicious

    def _hits_somewhere(self, data: AnyStr, asks_names: bool = True) -> bool:
        """What `_is_suspicious` says, of large data: piece by piece, though what makes it true may be far apart."""
        has_at = has_url = can_assign = is_named = False
        for piece in pieces(data, self._reach):
            view = piece if isinstance(piece, str) else piece.decode("latin-1")
            has_at, has_url = has_at or "@" in view, has_url or "://" in view
            if (has_at and has_url) or _holds_token(view) or ("%" in view and _may_encode(view)):
                return True
            if isinstance(piece, bytes) and not view.isascii() and _may_be_compressed(view, piece):
                return True
            if asks_names:
                can_assign = can_assign or _can_assign(view)
                is_named = is_named or self._is_named(piece)
                if can_assign and is_named:
                    return True
        return False

    def _is_named(self, piece: bytes | str) -> bool:
        return self._names.holds_text(piece) if isinstance(piece, str) else self._names.holds(piece)

    def _scrubbed(self, data: bytes, mark: Mark) -> bytes:
        is_named, masked = self._names.holds(data), data
        while (more := _scrubbed_once(self.compile(), masked, is_named, mark)) != masked:
            masked = more  # a secret that touched another one is seen only once that is a marker
        return data if masked == data else masked


def _scrubbed_by(shapes: Sequence[Shape], names: Names, data: bytes, mark: Mark) -> bytes:
    return _scrubbed_once(shapes, data, names.holds(data), mark)


def _scrubbed_once(shapes: Sequence[Shape], data: bytes, is_named: bool, mark: Mark) -> bytes:
    for shape in shapes:
        if (is_named or not shape.by_name) and (not shape.needs or any(need in data for need in shape.needs)):
            data = _between_markers(data, shape, mark)
    return data


def _holds_scheme(view: str) -> bool:
    return ("b" in view and _SMALL_SCHEME.search(view) is not None) or (
        "B" in view and _CAPITAL_SCHEME.search(view) is not None
    )


def _holds_token(view: str) -> bool:
    return (
        any(rare_letters.holds(view, word, letter) for word, letter in _WORDS)
        or rare_letters.finds(view, _SMALL_SCHEME, "b", " \t")
        or rare_letters.finds(view, _CAPITAL_SCHEME, "B", " \t")
    )


def _may_be_compressed(view: str, data: bytes) -> bool:
    """Nobody can say of it what it holds without unpacking it. `view`: the data as latin-1."""
    if not ("\x1f" in view or "\xfd" in view or "\x9c" in view or "\xda" in view):  # a letter of each
        return False
    left = data.translate(None, _OTHERS)  # a search in all of it takes ten times as long
    return any(left.find(magic) >= 0 and _begins_in(data, magic) for magic in MAGICS)


def _begins_in(data: bytes, magic: bytes) -> bool:
    """The two bytes of zlib stand in any picture: they count only where a value may begin."""
    at = data.find(magic)
    while at >= 0:
        if magic[:1] != b"x" or _VALUE_BEGINS.match(data, at) is not None:
            return True
        at = data.find(magic, at + 1)
    return False


def _may_encode(view: str) -> bool:
    """What is percent-encoded and known without a name: a signature, an address with a password."""
    if "sig%" in view or ("%40" in view and ("%2F%2F" in view or "%2f%2f" in view)):
        return True
    return "%25" in view and ("%2540" in view or "252540" in view)


def _always(view: str) -> bool:
    return True


def _can_assign(view: str) -> bool:
    if "=" in view or "'" in view or '"' in view or "<" in view or "$" in view or "%" in view:
        return True
    return ("-" in view and "--" in view) or (":" in view and ": " in view)  # one letter first, as above


def _between_markers(data: bytes, shape: Shape, mark: Mark) -> bytes:
    if b"redacted" not in data:
        return shape.apply(data, mark)
    pieces, start = [], 0
    for found in MARKER_BYTES.finditer(data):
        pieces += [_applied(data[start : found.start()], shape, mark), found[0]]
        start = found.end()
    return b"".join([*pieces, _applied(data[start:], shape, mark)])


def _applied(piece: bytes, shape: Shape, mark: Mark) -> bytes:
    """Markers hold brackets themselves, so of each piece it is asked anew whether the shape can be in it."""
    if shape.needs and not any(need in piece for need in shape.needs):
        return piece
    return shape.apply(piece, mark)
