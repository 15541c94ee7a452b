"""zstd, bounded. Readers also take what is not compressed: a bundle, or a part that somebody unpacked."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from timetracer_otel.config import MIB

if TYPE_CHECKING:
    from zstandard import ZstdCompressionObj, ZstdCompressor

MAX_BYTES: Final = 512 * MIB
"""Of one file, unpacked. A trace holds 256 MiB of payload by default."""

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_LEVEL: Final = 1
"""Against 3 it takes a quarter less time for 2 to 6 % more bytes; half of what a large trace costs is spent here."""
_JOINED_MAX_BYTES: Final = MIB
"""Below it one more copy costs less than a stream."""
# One byte of zstd can become 32 KiB: so little is fed at a time that one step past the limit is 32 MiB at most.
_STEP: Final = 1024

_STREAM_WINDOW_LOG: Final = 17
"""128 KiB are looked back at; the default would be 2 MiB, kept in memory for each stream."""

_local = threading.local()


def compress(*pieces: bytes) -> bytes:
    """One zstd frame with a checksum, of the pieces joined."""
    size = sum(map(len, pieces))
    if size < _JOINED_MAX_BYTES:
        return _compressor().compress(b"".join(pieces))
    # A compressor of its own: a finalizer or a signal handler of the app may compress in between, in this thread.
    stream = _new_compressor().compressobj(size=size)
    packed = [stream.compress(piece) for piece in pieces]
    return b"".join([*packed, stream.flush()])


def new_stream() -> ZstdCompressionObj:
    """For one frame with a checksum, made piece by piece. Several at once are fine: it holds less than 1 MiB."""
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=_STREAM_WINDOW_LOG, write_checksum=1)
    return zstandard.ZstdCompressor(compression_params=parameters).compressobj()


def decompress(data: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """What was compressed; `data` itself if it is not zstd. Raises ValueError: damaged, cut, or above `max_bytes`."""
    if data.startswith(_MAGIC):
        return _unpack(data, max_bytes)
    _check_size(len(data), max_bytes)
    return data


def _unpack(data: bytes, max_bytes: int) -> bytes:
    import zstandard

    try:
        # One that does not say its size has the greatest; of an empty one zstandard does not look at the rest.
        if 0 < zstandard.get_frame_parameters(data).content_size <= max_bytes:
            return zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError:  # what is wrong is said below
        pass
    return _unpack_in_steps(data, max_bytes)


def _unpack_in_steps(data: bytes, max_bytes: int) -> bytes:
    import zstandard

    unpacked = bytearray()
    stream = zstandard.ZstdDecompressor().decompressobj()
    try:
        for start in range(0, len(data), _STEP):
            unpacked += stream.decompress(data[start : start + _STEP])
            _check_size(len(unpacked), max_bytes)
            if stream.eof:
                return _whole(unpacked, len(stream.unused_data) + len(data[start + _STEP :]))
    except zstandard.ZstdError as error:
        raise ValueError(f"damaged zstd ({error})") from None
    raise ValueError("the end of the file is missing")


def _check_size(found_bytes: int, max_bytes: int) -> None:
    if found_bytes > max_bytes:
        raise ValueError(f"it unpacks to more than {max_bytes // MIB} MiB")


def _whole(unpacked: bytearray, bytes_left: int) -> bytes:
    if bytes_left:
        raise ValueError(f"{bytes_left} bytes after its end")
    return bytes(unpacked)


def _compressor() -> ZstdCompressor:
    # One per thread: it may not be shared, and making one costs more than compressing a small part.
    compressor: ZstdCompressor | None = getattr(_local, "compressor", None)
    if compressor is None:
        compressor = _local.compressor = _new_compressor()
    return compressor


def _new_compressor() -> ZstdCompressor:
    import zstandard

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
