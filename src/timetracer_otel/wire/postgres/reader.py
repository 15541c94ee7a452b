"""Cuts the byte stream of a client into messages."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from timetracer_otel.config import MIB
from timetracer_otel.errors import WireError
from timetracer_otel.wire.postgres.requests import EncryptionRequest, Request, parse_opening, parse_request

HEADER: Final = struct.Struct("!cI")  # kind, length; the length counts itself but not the kind
SIZE: Final = struct.Struct("!I")  # the length of a start-up packet counts itself; there is no kind
STARTUP_MAX_BYTES: Final = 10_000
"""As the server's own MAX_STARTUP_PACKET_LENGTH."""
MESSAGE_MAX_BYTES: Final = 256 * MIB


class FrontendReader:
    """Holds at most one unfinished message of `max_bytes`."""

    def __init__(self, max_bytes: int = MESSAGE_MAX_BYTES, is_started: bool = False) -> None:
        """`is_started`: the start-up packet has gone before."""
        self._buffer, self._max_bytes = bytearray(), max_bytes
        self._is_started = is_started

    def receive(self, data: bytes) -> Iterator[Request]:
        """Every client message that `data` completes, parsed when it is asked for; the rest waits for the next call.

        Raises: WireError at the first message that is malformed or has an impossible length.
        Source: PostgreSQL protocol 3.0, "Message Formats".
        """
        self._buffer += data
        return self._requests()

    def _requests(self) -> Iterator[Request]:
        while (request := self._request() if self._is_started else self._opening()) is not None:
            yield request

    def _opening(self) -> Request | None:
        if len(self._buffer) < SIZE.size:
            return None
        (length,) = SIZE.unpack_from(self._buffer)
        if not 8 <= length <= STARTUP_MAX_BYTES:
            raise WireError(
                f"PostgreSQL start-up packet: length {length} not in 8..{STARTUP_MAX_BYTES}; "
                "is the client speaking TLS?"
            )
        if len(self._buffer) < length:
            return None
        opening = parse_opening(self._take(SIZE.size, length))
        self._is_started = not isinstance(opening, EncryptionRequest)
        return opening

    def _request(self) -> Request | None:
        if len(self._buffer) < HEADER.size:
            return None
        kind, length = HEADER.unpack_from(self._buffer)
        if not 4 <= length <= self._max_bytes:
            raise WireError(
                f"PostgreSQL message {kind!r}: length {length} not in 4..{self._max_bytes}; is the client speaking TLS?"
            )
        if len(self._buffer) < 1 + length:
            return None
        return parse_request(kind, self._take(HEADER.size, 1 + length))

    def _take(self, start: int, end: int) -> bytes:
        """The bytes `start` to `end` of the message at hand; it leaves the buffer."""
        taken = bytes(memoryview(self._buffer)[start:end])
        del self._buffer[:end]
        return taken
