"""What is sent of one request: the copy that is made of it while the client sends it. Nothing is read ahead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

from timetracer_otel.config import MIB
from timetracer_otel.wire.aws.chunks import ChunkReader

KEPT_MAX_BYTES: Final = MIB
"""Of a larger one only length and SHA-256 are known: that is what replay compares."""
Marks: TypeAlias = Callable[[], Collection[int]]
HEAD_END: Final = b"\r\n\r\n"
CHUNKED: Final = re.compile(rb"(?im)^transfer-encoding:[^\r\n]*\bchunked[ \t]*\r?$")
EXPECTING: Final = re.compile(rb"(?im)^expect:[ \t]*100-continue[ \t]*\r?$")
_LENGTH: Final = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,18})[ \t]*\r?$")


class Upload:
    """`is_wire`: a head as HTTP/1.1 writes it comes before the body, and the body may be chunked."""

    __slots__ = (
        *("_ask_marks", "_hash", "_marks", "_prefixes", "_reader"),
        *("head", "is_ended", "is_wire", "length", "pieces", "size"),
    )

    def __init__(self, is_wire: bool = False, marks: Marks = tuple) -> None:
        """`marks` is asked, of a body too large to be kept, before which bytes it is to be known by `prefixes`."""
        self.is_wire = is_wire
        self._ask_marks = marks
        self._marks: list[int] = []
        self._prefixes: dict[int, str] = {}
        self.pieces: list[bytes] = []
        self.head = b""
        self.size = 0
        """Bytes that were sent; once it is larger than is kept, of the content alone."""
        self.length: int | None = None
        self.is_ended = False
        self._reader: ChunkReader | None = None
        self._hash: Any = None

    def take(self, data: bytes) -> None:
        """A piece that was sent."""
        if self._hash is not None:
            self._add(data)
            return
        self.size += len(data)
        self.pieces.append(data)
        if self.size > KEPT_MAX_BYTES:
            self._spill()

    def _spill(self) -> None:
        first, *others = self.pieces
        if self.is_wire and HEAD_END not in first:  # joined with its head a large body would be copied
            first, others = b"".join(self.pieces), []
        self.pieces = [first]
        content, self.size, self._hash = self._parted(), 0, hashlib.sha256()
        self._marks = sorted(self._ask_marks())
        self.pieces = []
        for piece in (content, *others):
            self._add(piece)

    def _add(self, data: bytes) -> None:
        content = data if self._reader is None else self._reader.feed(data)
        while self._marks and self._marks[0] <= self.size + len(content):
            mark = self._marks.pop(0)
            hashed = self._hash.copy()
            hashed.update(content[: mark - self.size])
            self._prefixes[mark] = hashed.hexdigest()
        self.size += len(content)
        self._hash.update(content)

    def _parted(self) -> bytes:
        """The body as it was sent; head and framing are known then."""
        sent = b"".join(self.pieces)
        if not self.is_wire:
            return sent
        head, _, body = sent.partition(HEAD_END)
        self.head = head
        if CHUNKED.search(head):
            self._reader = ChunkReader()
        elif (found := _LENGTH.search(head)) is not None:
            self.length = int(found[1])
        else:
            self.length = 0
        return body

    def content(self) -> bytes | None:
        """The body without framing; None where it is too large to be kept. `head` is known afterwards."""
        if self._hash is not None:
            return None
        if not self.is_wire:
            return b"".join(self.pieces)
        body = self._parted()
        return body if self._reader is None else self._reader.feed(body)

    @property
    def sha256(self) -> str:
        """Of a body that is too large to be kept."""
        return str(self._hash.hexdigest())

    @property
    def prefixes(self) -> Mapping[int, str]:
        """SHA-256 of what stands before each mark of a body that is too large to be kept."""
        return self._prefixes

    def is_whole(self, content_size: int) -> bool:
        """True when all of the body was sent, by its own word. After `content`."""
        if not self.is_wire:
            return self.is_ended
        if self._reader is None and self._hash is not None:
            content_size = self.size
        return self._reader.is_ended if self._reader is not None else content_size >= (self.length or 0)


class Progress:
    """Tells while a request is written whether that was all of it."""

    __slots__ = ("_head", "_left", "_reader", "asks_first")

    def __init__(self) -> None:
        self.asks_first = False
        """The head was sent, and the body waits for the server to say that it may come."""
        self._head: bytearray | None = bytearray()
        self._left = 0
        self._reader: ChunkReader | None = None

    def has_end(self, data: bytes) -> bool:
        """True once the body has come to its end with `data`. Raises ValueError if it is not chunked as it says."""
        if self._head is not None:
            self._head += data
            head, end, data = bytes(self._head).partition(HEAD_END)
            if not end:
                return False
            self._head = None
            self._begin(head)
        if self._reader is not None:
            self._reader.feed(data)
            return self._reader.is_ended
        self._left -= len(data)
        return self._left <= 0

    def _begin(self, head: bytes) -> None:
        self.asks_first = EXPECTING.search(head) is not None
        if CHUNKED.search(head):
            self._reader = ChunkReader()
        elif (found := _LENGTH.search(head)) is not None:
            self._left = int(found[1])
