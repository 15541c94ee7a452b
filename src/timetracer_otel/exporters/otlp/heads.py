"""Heads of parts, as they came back: the document of a part without its content, and how much content it had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NoReturn, TypeAlias

from timetracer_otel.cassette import Value
from timetracer_otel.cassette.model import Blob
from timetracer_otel.cassette.values import DOCUMENT_DEPTH, dumps
from timetracer_otel.exporters.otlp.texts import load_text

Document: TypeAlias = "dict[str, Value]"

_CONTENT: Final = frozenset({"spans", "exchanges", "request", "result"})
CUT: Final = "cut"
"""Reason of what is missing since it did not come back: see `docs/cassette-format.md`, Losses."""


@dataclass(frozen=True, slots=True)
class Head:
    """`document` is of this account alone, and may be changed."""

    document: Document
    spans: int
    exchanges: int
    is_root: bool
    """It stood on the root span of its segment."""
    is_whole: bool
    """It is of a trace that was sent at once: its first part has everything."""


def read_head(text: bytes, is_root: bool) -> Head:
    """Raises ValueError."""
    record = load_text(text)
    document = record.get("part")
    if not isinstance(document, dict):
        raise ValueError("a head without a part")
    return Head(document, _count(record, "spans"), _count(record, "exchanges"), is_root, record.get("whole") is True)


def _count(record: Mapping[str, Value], name: str) -> int:
    count = record.get(name, 0)
    if type(count) is not int or not 0 <= count < 2**31:
        raise ValueError(f"a head with {name} that are no number")
    return count


def chosen(found: Sequence[Head]) -> list[Head]:
    """One for each part; where the trace was sent as a whole too, those of that."""
    wholes = [head for head in found if head.is_whole]
    return list({repr(head.document.get("part")): head for head in wholes or found}.values())


def say_cut(document: Document, count: int) -> None:
    """The part says from now on that so much of it did not come back."""
    dropped = document.get("dropped")
    document["dropped"] = {**(dropped if isinstance(dropped, Mapping) else {}), CUT: count}


def whole_text(
    document: Document, lists: Mapping[str, Iterable[bytes]], texts: Mapping[str, bytes] = MappingProxyType({})
) -> bytes:
    """The JSON text of the document with these lists of texts, and these texts, under their names."""
    all_texts = {**{name: b"[%b]" % b",".join(each) for name, each in lists.items()}, **texts}
    rest = {name: value for name, value in document.items() if name not in _CONTENT}
    pieces = [b',"%b":%b' % (name.encode(), text) for name, text in all_texts.items()]
    return b"".join([dumps(rest, DOCUMENT_DEPTH).removesuffix(b"}"), *pieces, b"}"])


def refuse_blob(blob: Blob) -> NoReturn:
    """What comes from elsewhere names no file of ours. Raises ValueError."""
    raise ValueError(f"a pulled trace holds all that it needs, and this one names the blob {blob.sha256[:16]}…")
