"""A proxy that gives a server what it lacks: it agrees on a compressor, takes compressed commands, and compresses
replies."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import bson
from pymongo import compression_support

HEADER = struct.Struct("<iiii")
OP_COMPRESSED, OP_MSG = 2012, 2013
CONTEXTS: dict[str, Any] = {
    "snappy": compression_support.SnappyContext,
    "zlib": lambda: compression_support.ZlibContext(-1),
    "zstd": compression_support.ZstdContext,
}


class CompressingProxy:
    """Listens on a free port of loopback until `stop`; `compressed` counts the commands that came compressed."""

    def __init__(self, port: int, compressor: str) -> None:
        self._target, self._name, self._context = port, compressor, CONTEXTS[compressor]()
        self.compressed = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # stopped
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, change in ((client, server, self._plain), (server, client, self._packed)):
                threading.Thread(target=_pump, args=(source, sink, change), daemon=True).start()

    def _plain(self, message: bytes) -> bytes:
        _, request_id, answers, opcode = HEADER.unpack_from(message)
        if opcode != OP_COMPRESSED:
            return message
        self.compressed += 1
        original, size, compressor = struct.unpack_from("<iiB", message, HEADER.size)
        payload = bytes(compression_support.decompress(message[25:], compressor, size))
        return HEADER.pack(HEADER.size + len(payload), request_id, answers, original) + payload

    def _packed(self, message: bytes) -> bytes:
        _, request_id, answers, opcode = HEADER.unpack_from(message)
        if opcode != OP_MSG:
            return message
        document = bson.decode(message[21:])
        if "isWritablePrimary" in document:
            changed = message[16:21] + bson.encode({**document, "compression": [self._name]})
            return HEADER.pack(HEADER.size + len(changed), request_id, answers, opcode) + changed
        inner = message[HEADER.size :]
        packed = self._context.compress(inner)
        head = HEADER.pack(25 + len(packed), request_id, answers, OP_COMPRESSED)
        return head + struct.pack("<iiB", opcode, len(inner), self._context.compressor_id) + bytes(packed)


def _pump(source: socket.socket, sink: socket.socket, change: Any) -> None:
    with contextlib.suppress(OSError):
        for message in _messages(source):
            sink.sendall(change(message))
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def _messages(source: socket.socket) -> Iterator[bytes]:
    kept = bytearray()
    while data := source.recv(1 << 16):
        kept += data
        while len(kept) >= 4 and len(kept) >= (size := int.from_bytes(kept[:4], "little")):
            yield bytes(kept[:size])
            del kept[:size]
