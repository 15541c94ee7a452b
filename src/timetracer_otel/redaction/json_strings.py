"""Strings of JSON: what their bytes say, and how it is spelled."""

from __future__ import annotations

import json
from typing import Final

STRING_BODY: Final = rb'[^"\\]*(?:\\[\s\S][^"\\]*)*'


def plain(body: bytes) -> bytes:
    """What a JSON string says, as UTF-8; the body itself where nothing is escaped or it is no JSON string."""
    if b"\\" not in body:
        return body
    try:
        return str(json.loads(f'"{body.decode()}"', strict=False)).encode("utf-8", "surrogatepass")
    except ValueError:
        return body


def escaped(said: bytes, original: bytes) -> bytes:
    """`said` as the body of a JSON string, in ASCII if the original was."""
    text = said.decode("utf-8", "surrogatepass")
    if not original.isascii():
        try:
            return json.dumps(text, ensure_ascii=False)[1:-1].encode()
        except UnicodeEncodeError:  # a lone surrogate has no other spelling than an escape
            pass
    return json.dumps(text)[1:-1].encode()
