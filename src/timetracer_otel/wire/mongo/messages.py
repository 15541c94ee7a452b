"""Messages of MongoDB's wire protocol: what a tap heard and what the stub speaks.

Source: MongoDB wire protocol, OP_MSG, OP_QUERY (the handshake of older drivers) and OP_COMPRESSED.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from timetracer_otel.errors import WireError
from timetracer_otel.wire.mongo import bson

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 1 << 1, 1 << 16
HEADER: Final = struct.Struct("<iiii")
MESSAGE_MAX: Final = 64 * 1024 * 1024
"""Servers take 48 MB."""

_INT: Final = struct.Struct("<i")
_COMPRESSED: Final = struct.Struct("<iiB")


@dataclass(frozen=True, slots=True)
class Message:
    """What a client sent."""

    request_id: int
    flags: int
    document: bytes
    """The command as one BSON document: document sequences stand in it as arrays."""
    database: str | None = None
    """Of OP_QUERY; OP_MSG says it in the document."""

    @property
    def is_query(self) -> bool:
        return self.database is not None

    @property
    def wants_no_reply(self) -> bool:
        return bool(self.flags & MORE_TO_COME)


Decompress = Callable[[bytes, int, int], bytes]
"""Gives the bytes of data that the compressor of that number made, of that size."""


def _refuse(data: bytes, compressor: int, size: int) -> bytes:
    raise WireError(f"MongoDB OP_COMPRESSED: compressor {compressor} was not agreed on")


class MessageReader:
    """Cuts what a client sends into messages."""

    def __init__(self, max_bytes: int = MESSAGE_MAX) -> None:
        self._buffer, self._max_bytes = bytearray(), max_bytes

    def receive(self, data: bytes) -> Iterator[Message]:
        """Every message that `data` completes. Raises WireError on bytes that are not the protocol."""
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            (length,) = _INT.unpack_from(self._buffer)
            if not HEADER.size <= length <= self._max_bytes:
                limits = f"{HEADER.size}..{self._max_bytes}"
                raise WireError(f"MongoDB message: length {length} not in {limits}; is the client speaking TLS?")
            if len(self._buffer) < length:
                return
            whole = bytes(self._buffer[:length])
            del self._buffer[:length]
            yield parse(whole)


def parse(message: bytes, decompress: Decompress = _refuse) -> Message:
    """One whole message of a client. Raises WireError."""
    try:
        _, request_id, _, opcode = HEADER.unpack_from(message)
        payload = message[HEADER.size :]
        if opcode == OP_COMPRESSED:
            opcode, size, compressor = _COMPRESSED.unpack_from(payload)
            if not 0 <= size <= MESSAGE_MAX:
                raise WireError(f"MongoDB OP_COMPRESSED: a size of {size}")
            payload = decompress(payload[_COMPRESSED.size :], compressor, size)
        if opcode == OP_QUERY:
            return _query(request_id, payload)
        if opcode == OP_MSG:
            return _op_msg(request_id, payload)
    except struct.error as error:
        raise WireError(f"MongoDB message: too short: {error}") from None
    raise WireError(f"MongoDB message: opcode {opcode} is none that drivers of today send")


def _query(request_id: int, payload: bytes) -> Message:
    stop = payload.find(b"\0", 4)
    start = stop + 1 + 8
    (size,) = _INT.unpack_from(payload, start)
    if stop < 0 or not 5 <= size <= len(payload) - start:
        raise WireError("MongoDB OP_QUERY: no whole document")
    database = payload[4:stop].decode("utf-8", "replace").partition(".")[0]
    return Message(request_id, 0, payload[start : start + size], database)


def _op_msg(request_id: int, payload: bytes) -> Message:
    (flags,) = struct.unpack_from("<I", payload)
    body: bytes | None = None
    sequences: list[tuple[bytes, bytes]] = []
    for kind, section in _sections(payload[4 : len(payload) - (4 if flags & CHECKSUM_PRESENT else 0)]):
        if kind == 0 and body is None:
            body = section
        elif kind == 1 and (stop := section.find(b"\0", 4)) >= 0:
            sequences.append((section[4:stop], section[stop + 1 :]))
        else:
            raise WireError(f"MongoDB OP_MSG: a section of kind {kind} that does not belong there")
    if body is None:
        raise WireError("MongoDB OP_MSG: no body")
    return Message(request_id, flags, _folded(body, sequences))


def _sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<Bi", data, at)
        if size < 5 or at + 1 + size > len(data):
            raise WireError(f"MongoDB OP_MSG: a section of {size} bytes")
        yield kind, data[at + 1 : at + 1 + size]
        at += 1 + size


def _folded(body: bytes, sequences: list[tuple[bytes, bytes]]) -> bytes:
    """The body with its document sequences as arrays; no document is decoded."""
    if not sequences:
        return body
    arrays = (bytes([bson.ARRAY]) + name + b"\0" + _array(documents) for name, documents in sequences)
    inner = body[4:-1] + b"".join(arrays)
    return _INT.pack(len(inner) + 5) + inner + b"\0"


def _array(documents: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while at < len(documents):
        (size,) = _INT.unpack_from(documents, at)
        if size < 5 or at + size > len(documents):
            raise WireError(f"MongoDB OP_MSG: a document of {size} bytes in a sequence")
        parts.append(b"\x03%d\0" % len(parts) + documents[at : at + size])
        at += size
    inner = b"".join(parts)
    return _INT.pack(len(inner) + 5) + inner + b"\0"


def reply(message: Message, document: bytes, flags: int = 0) -> bytes:
    """The answer to a message, with one document."""
    if message.is_query:
        payload, opcode = struct.pack("<iqii", 8, 0, 0, 1) + document, OP_REPLY
    else:
        payload, opcode = struct.pack("<I", flags) + b"\0" + document, OP_MSG
    return HEADER.pack(HEADER.size + len(payload), 0, message.request_id, opcode) + payload
