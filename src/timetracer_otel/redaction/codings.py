"""Content codings of HTTP bodies, undone and done again."""

from __future__ import annotations

import gzip
import re
import zlib
from typing import Final

from timetracer_otel.config import MIB

DECODED_MAX_BYTES: Final = 256 * MIB
_CHUNK_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 1024

GZIP_MAGIC: Final = b"\x1f\x8b"
_CODINGS: Final = (
    *((GZIP_MAGIC + b"\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd")),
    *((b"x\x9c", "deflate"), (b"x\xda", "deflate")),
)
"""How what is compressed begins where no header speaks of it; zlib as far as that is no text."""
MAGICS: Final = tuple(magic for magic, _ in _CODINGS)
_ZSTD_MAGIC: Final = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_DAMAGED: Final = "it is damaged, or something stands behind its end"

_KNOWN: Final = frozenset(("gzip", "x-gzip", "deflate", "zstd"))


class Undecodable(Exception):
    """Nobody here can look into the whole body: an unknown coding, damage, something behind its end, or more than
    `DECODED_MAX_BYTES` inside."""


def coding_of(data: bytes) -> str | None:
    """The coding that `data` begins like, whether it is in it or not."""
    if not data.startswith(MAGICS):
        return None
    return next(coding for magic, coding in _CODINGS if data.startswith(magic))


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
        decoded = _zstd_decoded(data, DECODED_MAX_BYTES) if coding == "zstd" else _zlib_decoded(data, coding)
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
        return _inflated(data, 31, DECODED_MAX_BYTES) if data.startswith(GZIP_MAGIC) else b""
    if not _has_zlib_header(data):
        return _raw_inflated(data)
    try:
        return _inflated(data, 15, DECODED_MAX_BYTES)
    except Undecodable:
        if _is_text(data):  # `x^2` begins as zlib does
            return b""
        raise


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950, section 2.2."""
    return len(data) > 1 and data[0] & 0x8F == 8 and int.from_bytes(data[:2], "big") % 31 == 0


def unpacked(data: bytes, coding: str, max_bytes: int) -> bytes | None:
    """What is inside of data that begins like the coding; None where that is damaged, or one of both is larger."""
    if len(data) > max_bytes:
        return None
    try:
        if coding == "zstd":
            return _zstd_decoded(data, max_bytes)
        return _inflated(data, 31 if coding == "gzip" else 15, max_bytes)
    except Undecodable:
        return None


def text_in(data: bytes, max_bytes: int) -> str | None:
    """The text in data that begins as something compressed; None where there is none, or more than `max_bytes`."""
    found = bytes_in(data, max_bytes)
    try:
        return found.decode() if found else None
    except UnicodeDecodeError:
        return None


def bytes_in(data: bytes, max_bytes: int) -> bytes | None:
    """As `text_in`, of any bytes."""
    coding = coding_of(data)
    return unpacked(data, coding, max_bytes) if coding is not None else None


def _inflated(data: bytes, window_bits: int, max_bytes: int) -> bytes:
    """All members one after another; zeros may follow them."""
    decoded = bytearray()
    while data.strip(b"\0"):
        member = zlib.decompressobj(window_bits)
        try:
            decoded += member.decompress(data, max_bytes + 1 - len(decoded))
        except zlib.error:
            raise Undecodable(_DAMAGED) from None
        if len(decoded) > max_bytes:
            raise Undecodable(f"more than {max_bytes} bytes")
        data = member.unused_data
    return bytes(decoded)


def _raw_inflated(data: bytes) -> bytes:
    """Some senders leave the zlib header out. What is plain text instead mostly does not end well."""
    member, decoded, start = zlib.decompressobj(-15), bytearray(), 0
    try:
        for start in range(0, len(data), _PIECE_BYTES):  # what came out before a fault would else not be seen
            decoded += member.decompress(data[start : start + _PIECE_BYTES], DECODED_MAX_BYTES + 1 - len(decoded))
            if len(decoded) > DECODED_MAX_BYTES:
                raise Undecodable(f"more than {DECODED_MAX_BYTES} bytes")
            if member.eof:
                break
    except zlib.error:
        pass
    if member.eof and start + _PIECE_BYTES >= len(data) and not member.unused_data:
        return bytes(decoded)
    if not decoded or _is_text(data):
        return b""
    raise Undecodable(_DAMAGED)


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    except UnicodeDecodeError:
        return False


def _zstd_decoded(data: bytes, max_bytes: int) -> bytes:
    import zstandard

    if not _ZSTD_MAGIC.match(data):
        return b""
    decoded = bytearray()
    reader = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True)
    try:
        while chunk := reader.read(_CHUNK_BYTES):
            decoded += chunk
            if len(decoded) > max_bytes:
                raise Undecodable(f"more than {max_bytes} bytes")
    except zstandard.ZstdError:
        raise Undecodable(_DAMAGED) from None
    return bytes(decoded)
