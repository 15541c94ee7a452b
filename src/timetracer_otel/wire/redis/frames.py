"""Bytes of either side, cut into whole frames; nothing inside a frame is decoded here.

Source: Redis serialization protocol specification, RESP2 and RESP3. Streamed strings and aggregates (`$?`, `*?`) are
in the specification alone: no server sends them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from timetracer_otel.errors import WireError

END: Final = b"\r\n"
AGGREGATES: Final = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
"""What stands inside, for each one that is counted."""
BULKS: Final = (b"$", b"!", b"=")
LINES: Final = (b"+", b"-", b":", b"_", b"#", b",", b"(")
_AGGREGATES: Final = {ord(sign): each for sign, each in AGGREGATES.items()}
_BULKS, _LINES = frozenset(b"".join(BULKS)), frozenset(b"".join(LINES))
ATTRIBUTE: Final = b"|"
PUSH: Final = b">"
FRAME_MAX_BYTES: Final = 1024 * 1024 * 1024
LINE_MAX_BYTES: Final = 1024 * 1024
"""Of simple strings and errors; what a script raises may be long."""
DIGITS_MAX: Final = 20
BULKS_MAX_BYTES: Final = 64 * 1024
"""A longer answer may be cut into very many lines."""


class FrameReader:
    """Frames as they become whole. Depth costs nothing: what is open is one number."""

    def __init__(self, max_bytes: int = FRAME_MAX_BYTES) -> None:
        self._buffer, self._max_bytes = bytearray(), max_bytes
        self._at = 0
        """Where the next element begins."""
        self._open = 1
        """Elements that the frame lacks."""

    @property
    def rest(self) -> bytes:
        """The beginning of a frame that is not whole yet."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> list[bytes]:
        """Every frame that `data` completes; the rest waits for the next call.

        Raises: WireError on bytes that are not the protocol, and on a frame above `max_bytes`.
        """
        self._buffer += data
        frames, start = [], 0
        while (end := self._element(start)) is not None:
            self._at = end
            if self._open == 0:
                frames.append(bytes(self._buffer[start:end]))
                start, self._open = end, 1
        del self._buffer[:start]
        self._at -= start
        if len(self._buffer) > self._max_bytes:
            raise WireError(f"RESP frame: longer than {self._max_bytes} bytes")
        return frames

    def _element(self, start: int) -> int | None:
        """The end of the next element, which is then counted; None while it is not whole."""
        buffer, at = self._buffer, self._at
        end = buffer.find(END, at, at + LINE_MAX_BYTES)
        if end < 0:
            if len(buffer) - at >= LINE_MAX_BYTES:
                raise WireError(f"RESP line: longer than {LINE_MAX_BYTES} bytes; is the client speaking TLS?")
            return None
        kind, behind = bytes(buffer[at : at + 1]), end + len(END)
        if kind in BULKS:
            size = _size(kind, bytes(buffer[at + 1 : end]))
            if size >= 0:
                behind += size + len(END)
            if behind - start > self._max_bytes:
                raise WireError(f"RESP {kind!r} of {size} bytes: above {self._max_bytes}")
            if len(buffer) < behind:
                return None
            if buffer[behind - 2 : behind] != END:
                raise WireError(f"RESP {kind!r} of {size} bytes: no end where it should be")
        elif kind in AGGREGATES:
            inside = max(_size(kind, bytes(buffer[at + 1 : end])), 0) * AGGREGATES[kind]
            self._open += inside + (kind == ATTRIBUTE)  # it is followed by the value that it describes
        elif kind not in LINES:
            raise WireError(f"RESP type {kind!r}: there is none; is the client speaking TLS?")
        self._open -= 1
        return behind


def _size(kind: bytes, digits: bytes) -> int:
    if digits.isdigit() and len(digits) <= DIGITS_MAX:
        return int(digits)
    if digits != b"-1":
        raise WireError(f"RESP {kind!r}: a length of {digits[:DIGITS_MAX]!r}")
    return -1


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole frames in `data`, and the beginning of one that is not: as `FrameReader`, in a third of the time.

    Raises: WireError on bytes that are not the protocol.
    """
    frames: list[bytes] = []
    start = at = 0
    missing, size = 1, len(data)
    while at < size:
        end = data.find(END, at)
        if end < 0:
            break
        kind, behind = data[at], end + 2
        if kind in _BULKS:
            length = _size(data[at : at + 1], data[at + 1 : end])
            if length >= 0:
                behind += length + 2
                if behind > size:
                    break
                if data[behind - 2 : behind] != END:
                    raise WireError(f"RESP {data[at : at + 1]!r} of {length} bytes: no end where it should be")
        elif kind in _AGGREGATES:
            inside = max(_size(data[at : at + 1], data[at + 1 : end]), 0)
            missing += inside * _AGGREGATES[kind] + (data[at : at + 1] == ATTRIBUTE)
        elif kind not in _LINES:
            raise WireError(f"RESP type {data[at : at + 1]!r}: there is none; is the client speaking TLS?")
        missing -= 1
        at = behind
        if not missing:
            frames.append(data[start:at])
            start, missing = at, 1
    return frames, data[start:]


def bulks(data: bytes) -> int | None:
    """How many bulk strings `data` is, where it is short and nothing else, and none of them holds the end of a line:
    what most answers are. None if it may be anything else."""
    if len(data) > BULKS_MAX_BYTES:
        return None
    *lines, rest = data.split(END)
    texts = lines[1::2]
    return len(texts) if not rest and lines[::2] == list(map(head_of, map(len, texts))) else None


@lru_cache(maxsize=1024)
def head_of(size: int) -> bytes:
    """What stands in the line before a bulk string of the size: an answer has many of a few sizes."""
    return b"$%d" % size


def is_push(frame: bytes) -> bool:
    """True for what a server of RESP3 sends by itself."""
    return frame[:1] == PUSH
