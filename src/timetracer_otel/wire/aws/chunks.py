"""The content of an upload in aws-chunked encoding: how it was cut, its signatures and trailers do not matter."""

from __future__ import annotations

import re
from typing import Final

HEAD_MAX_BYTES: Final = 256
_HEAD: Final = re.compile(rb"([0-9a-fA-F]{1,16})(?:;[^\r\n]*)?\r\n")


class ChunkReader:
    """Takes the body as it is sent, in pieces of any size.

    Source: Amazon S3, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._left = 0
        """Bytes of the current chunk that are still to come."""
        self.is_ended = False
        """The last, empty chunk has come; what follows is trailers."""

    def feed(self, data: bytes) -> bytes:
        """What `data` brings of the content. Raises ValueError if it is not chunked."""
        self._buffer += data
        pieces: list[bytes] = []
        while self._buffer and not self.is_ended:
            if self._left:
                pieces.append(self._take(self._left))
            elif not self._begin():
                break
        return b"".join(pieces)

    def _take(self, size: int) -> bytes:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._left -= len(piece)
        return piece

    def _begin(self) -> bool:
        """Reads the head of the next chunk, behind the end of line of the last; False if it has not come whole."""
        start = 2 if self._buffer.startswith(b"\r\n") else 0
        head = _HEAD.match(self._buffer, start)
        if head is None:
            if b"\n" in self._buffer[start:] or len(self._buffer) > HEAD_MAX_BYTES:
                raise ValueError("the head of a chunk is no hexadecimal length")
            return False
        self._left = int(head[1], 16)
        self.is_ended = self._left == 0
        del self._buffer[: head.end()]
        return True
