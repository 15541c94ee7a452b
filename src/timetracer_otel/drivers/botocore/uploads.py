"""What is sent from a stream: the copy that is made of it while the library reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import MIB
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.proxy import ObjectProxy
from timetracer_otel.wire.aws.chunks import ChunkReader

KEPT_MAX_BYTES: Final = MIB
"""Of a larger one only length and SHA-256 are known: that is what replay compares."""


class Upload:
    """One sending of a request's body: its content, without the framing of aws-chunked.

    It may begin anew: a retry and a redirect rewind the stream.
    """

    __slots__ = ("_hash", "_is_chunked", "_length", "_reader", "chunks", "is_ended", "is_kept", "size", "start")

    def __init__(self, start: object, length: int | None = None, is_chunked: bool = False) -> None:
        """`start`: where the stream stands, as `tell` gives it; None if it cannot tell. `length`: of the content."""
        self.start, self._length, self._is_chunked = start, length, is_chunked
        self.restart()

    def restart(self) -> None:
        self.chunks: list[bytes] = []
        self._reader = ChunkReader() if self._is_chunked else None
        self._hash: Any = None
        self.size, self.is_kept, self.is_ended = 0, True, False

    def take(self, data: Any) -> None:
        """A piece that was read for sending; an empty one is the end."""
        piece = data.encode() if isinstance(data, str) else bytes(data)
        content = piece if self._reader is None else self._reader.feed(piece)
        self.size += len(content)
        self.is_ended = not piece or self.size == self._length or (self._reader is not None and self._reader.is_ended)
        if self._hash is not None:
            self._hash.update(content)
        elif content:
            self.chunks.append(content)
            if self.size > KEPT_MAX_BYTES:
                self._hash = hashlib.sha256(b"".join(self.chunks))
                self.chunks, self.is_kept = [], False

    @property
    def content(self) -> bytes | None:
        """None where it is too large to be kept."""
        return b"".join(self.chunks) if self.is_kept else None

    @property
    def sha256(self) -> str:
        return str((self._hash or hashlib.sha256(b"".join(self.chunks))).hexdigest())


def upload_of(request: Any) -> Upload:
    """For the stream that this request is about to send."""
    headers = request.headers
    length = _text(headers.get("X-Amz-Decoded-Content-Length") or headers.get("Content-Length") or "")
    is_chunked = "aws-chunked" in _text(headers.get("Content-Encoding") or "")
    return Upload(place_of(request.body), int(length) if length.isdigit() else None, is_chunked)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class TappedBody(ObjectProxy):
    """The stream itself to whoever asks for its type; what is read of it is also taken."""

    def __init__(self, stream: Any, upload: Upload) -> None:
        super().__init__(stream)
        self._self_upload = upload

    def read(self, *args: Any, **kwargs: Any) -> Any:
        data = self.__wrapped__.read(*args, **kwargs)
        if isinstance(data, Awaitable):
            return _read_later(self._self_upload, data)
        _taken(self._self_upload, data)
        return data

    def readinto(self, buffer: Any) -> Any:
        size = self.__wrapped__.readinto(buffer)
        _taken(self._self_upload, memoryview(buffer)[: size or 0])
        return size

    def seek(self, *args: Any, **kwargs: Any) -> Any:
        place = self.__wrapped__.seek(*args, **kwargs)
        _rewound(self._self_upload, self.__wrapped__)
        return place

    def __iter__(self) -> Any:
        for data in self.__wrapped__:
            _taken(self._self_upload, data)
            yield data

    async def __aiter__(self) -> Any:
        async for data in self.__wrapped__:
            _taken(self._self_upload, data)
            yield data


async def _read_later(upload: Upload, reading: Awaitable[Any]) -> Any:
    data = await reading
    _taken(upload, data)
    return data


@guarded(LIBRARY)
def _taken(upload: Upload, data: Any) -> None:
    upload.take(data)


@guarded(LIBRARY)
def _rewound(upload: Upload, stream: Any) -> None:
    """Back at the start the sending begins anew; a look at the end for the length leads back there as well."""
    if place_of(stream) == upload.start:
        upload.restart()


def place_of(stream: Any) -> object:
    """Where it stands; None for a stream that cannot tell."""
    try:
        return stream.tell()
    except (AttributeError, OSError, ValueError):
        return None
