"""Content codings of HTTP bodies, undone and done again."""

from __future__ import annotations

import gzip
import zlib
from typing import Final

from timetracer_otel.config import MIB

DECODED_MAX_BYTES: Final = 256 * MIB
_CHUNK_BYTES: Final = 64 * 1024

_KNOWN: Final = frozenset(("gzip", "x-gzip", "deflate", "zstd"))


class Undecodable(Exception):
    """Nobody here can look into the body: an unknown coding, or more than `DECODED_MAX_BYTES` inside."""


def codings_of(header: str) -> tuple[str, ...]:
    """`gzip, br` -> the names in the order in which they were applied, without identity."""
    names = (name.strip().lower() for name in header.split(","))
    return tuple(name for name in names if name not in ("", "identity"))


def decode(data: bytes, codings: tuple[str, ...]) -> bytes | None:
    """The body without its codings; what was there of one that is cut off; None if it was never coded so.

    Raises: Undecodable.
    """
    if not _KNOWN.issuperset(codings):
        raise Undecodable(", ".join(codings))
    for coding in reversed(codings):
        decoded = _zstd_decoded(data) if coding == "zstd" else _zlib_decoded(data, coding)
        if not decoded:
            return None
        data = decoded
    return data


def encode(data: bytes, codings: tuple[str, ...]) -> bytes:
    """`data` with the codings applied, the first one first."""
    for coding in codings:
        data = _encoded(data, coding)
    return data


def _encoded(data: bytes, coding: str) -> bytes:
    if coding == "deflate":
        return zlib.compress(data)
    if coding == "zstd":
        import zstandard

        return zstandard.compress(data)
    return gzip.compress(data, compresslevel=6, mtime=0)


def _zlib_decoded(data: bytes, coding: str) -> bytes:
    if coding != "deflate":
        return _inflated(data, 31)
    return _inflated(data, 15) or _raw_inflated(data)


def _inflated(data: bytes, window_bits: int) -> bytes:
    """All members one after another, up to the first fault."""
    decoded = bytearray()
    while data:
        member = zlib.decompressobj(window_bits)
        try:
            decoded += member.decompress(data, DECODED_MAX_BYTES + 1 - len(decoded))
        except zlib.error:
            break
        if len(decoded) > DECODED_MAX_BYTES:
            raise Undecodable(f"more than {DECODED_MAX_BYTES} bytes")
        data = member.unused_data
    return bytes(decoded)


def _raw_inflated(data: bytes) -> bytes:
    """Some senders leave the zlib header out. Nothing then tells the coding from plain text but that it ends well."""
    member = zlib.decompressobj(-15)
    try:
        decoded = member.decompress(data, DECODED_MAX_BYTES + 1)
    except zlib.error:
        return b""
    if len(decoded) > DECODED_MAX_BYTES:
        raise Undecodable(f"more than {DECODED_MAX_BYTES} bytes")
    return decoded if member.eof else b""


def _zstd_decoded(data: bytes) -> bytes:
    import zstandard

    decoded = bytearray()
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    try:
        while chunk := reader.read(_CHUNK_BYTES):
            decoded += chunk
            if len(decoded) > DECODED_MAX_BYTES:
                raise Undecodable(f"more than {DECODED_MAX_BYTES} bytes")
    except zstandard.ZstdError:
        pass
    return bytes(decoded)
