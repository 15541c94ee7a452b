"""Headers of a response that depend on its body, where the body was masked: mended, or left out if that cannot be."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

CHECKSUM: Final = "x-amz-checksum-"
_ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    f"{CHECKSUM}crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    f"{CHECKSUM}sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    f"{CHECKSUM}sha256": lambda data: hashlib.sha256(data).digest(),
    "content-md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
}


def mended(headers: Iterable[tuple[str, str]], old: bytes, new: bytes) -> list[tuple[str, str]]:
    """The headers of `old` for `new`: a checksum that was wrong, or was one of parts, stays as it is."""
    if old == new:
        return list(headers)
    found = ((name, _mended(name.lower(), value, old, new)) for name, value in headers)
    return [(name, value) for name, value in found if value is not None]


def _mended(name: str, value: str, old: bytes, new: bytes) -> str | None:
    if name == "content-length":
        return str(max(0, int(value) + len(new) - len(old))) if value.strip().isdigit() else value
    if name == "x-amz-crc32":
        return str(zlib.crc32(new)) if value == str(zlib.crc32(old)) else value
    algorithm = _ALGORITHMS.get(name)
    if algorithm is not None:
        return _encoded(algorithm(new)) if value == _encoded(algorithm(old)) else _kept(value)
    return None if name.startswith(CHECKSUM) and name != f"{CHECKSUM}type" and "-" not in value else value


def _kept(value: str) -> str | None:
    """Of a body that was not read to its end the checksum is not known any more; one of parts is never looked at."""
    return value if "-" in value else None


def _encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
