"""Messages of `application/vnd.amazon.eventstream`: taken apart, and put together with other payloads.

Source: Amazon Transcribe, "Event stream encoding".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

_PRELUDE: Final = struct.Struct("!II")  # lengths: of the whole message, of its headers
_CRC: Final = struct.Struct("!I")
_HEADERS_AT: Final = _PRELUDE.size + _CRC.size
_LEAST: Final = _HEADERS_AT + _CRC.size


def is_one(body: bytes) -> bool:
    """True if it begins with a whole message: not every server says so in the type of the content."""
    return _end(body, 0) is not None


def with_payloads(stream: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The stream with each payload as `change` gives it, lengths and checksums mended; what is no whole message, such
    as the end of a stream that was not read on, is left out when something changed. The same object if nothing did."""
    messages, at, is_changed = [], 0, False
    while (end := _end(stream, at)) is not None:
        _, headers_length = _PRELUDE.unpack_from(stream, at)
        payload_at = at + _HEADERS_AT + headers_length
        payload = stream[payload_at : end - _CRC.size]
        new = change(payload)
        is_changed = is_changed or new != payload
        messages.append(_message(stream[at + _HEADERS_AT : payload_at], new) if new != payload else stream[at:end])
        at = end
    return b"".join(messages) if is_changed else stream


def _end(stream: bytes, at: int) -> int | None:
    """Where the message that begins at `at` ends; None if it does not, or is none."""
    if at + _LEAST > len(stream):
        return None
    total, headers_length = _PRELUDE.unpack_from(stream, at)
    if not _LEAST + headers_length <= total <= len(stream) - at:
        return None
    (crc,) = _CRC.unpack_from(stream, at + _PRELUDE.size)
    return at + total if crc == zlib.crc32(stream[at : at + _PRELUDE.size]) else None


def _message(headers: bytes, payload: bytes) -> bytes:
    prelude = _PRELUDE.pack(_LEAST + len(headers) + len(payload), len(headers))
    body = prelude + _CRC.pack(zlib.crc32(prelude)) + headers + payload
    return body + _CRC.pack(zlib.crc32(body))
