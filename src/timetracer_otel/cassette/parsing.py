"""The text of a file as JSON. A large one exchange by exchange: until orjson is done with a text it holds a copy of it,
and a record of each value, beside what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from timetracer_otel.cassette.values import Json
from timetracer_otel.config import MIB

_LARGE_BYTES: Final = MIB
_EXCHANGES: Final = b'"exchanges":['
_NEXT: Final = b'},{"id":'
"""Between two exchanges, as `dump` writes them. It may be between two objects of a payload too, but not in a string."""
_END: Final = b"]}"


def parsed(text: bytes) -> Json:
    """What `orjson.loads` gives. Raises ValueError as it does."""
    import orjson

    if len(text) < _LARGE_BYTES:
        return orjson.loads(text)
    try:
        return _by_exchange(text)
    except ValueError:  # it is no part, somebody else wrote it, or a payload looks like exchanges
        return orjson.loads(text)


def _by_exchange(text: bytes) -> Json:
    """Raises ValueError if its exchanges are not what is last in it, or cannot be told from one another.

    No cut can change what is read: pieces that are JSON, each by itself, were cut where an exchange ends.
    """
    import orjson

    start = text.index(_EXCHANGES) + len(_EXCHANGES)
    document = orjson.loads(text[:start] + _END)
    if not text.endswith(_END):
        raise ValueError("something follows its exchanges")
    document["exchanges"] = [orjson.loads(piece) for piece in _pieces(text, start)]
    return document


def _pieces(text: bytes, start: int) -> Iterator[memoryview]:
    view = memoryview(text)
    while (end := text.find(_NEXT, start)) >= 0:
        yield view[start : end + 1]
        start = end + 2
    yield view[start : -len(_END)]
