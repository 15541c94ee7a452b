"""Secrets out of a response that does not come apart into its parts: it stays the bytes that came.

Line by line as far as its heads go; its body by what the last head says of it, and by pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from timetracer_otel.drivers.http.framing import HEAD_END, LAST_CHUNK
from timetracer_otel.drivers.http.requests import codings, header
from timetracer_otel.drivers.http.uploads import CHUNKED
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.aws.chunks import ChunkReader

HEADER: Final = re.compile(rb"(([^\s:]{1,200})[ \t]*:[ \t]*)(.*)", re.DOTALL)
INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d")
"""Another head follows. Behind 101 another protocol does."""
LENGTH: Final = re.compile(rb"(?im)^(content-length:[ \t]*)(\d{1,18})(?=[ \t]*\r?$)")


def masked_wire(data: bytes, redactor: Redactor) -> bytes:
    """The same with secrets masked, its length mended."""
    masked = []
    while True:
        head, end, body = data.partition(HEAD_END)
        new_head = b"\r\n".join(_line(line, redactor) for line in _unfolded(head))
        if not end or INTERIM.match(head) is None:
            break
        masked += [new_head, end]
        data = body
    new_body = _body(head, body, redactor) if body else body
    if (shift := len(new_body) - len(body)) != 0:
        new_head = LENGTH.sub(lambda found: found[1] + str(max(0, int(found[2]) + shift)).encode(), new_head)
    return b"".join((*masked, new_head, end, new_body))


def _unfolded(head: bytes) -> Iterator[bytes]:
    """Its lines, each with those that continue it."""
    line: bytes | None = None
    for each in head.split(b"\r\n"):
        if line is not None and each[:1] in (b" ", b"\t"):
            line += b"\r\n" + each
            continue
        if line is not None:
            yield line
        line = each
    if line is not None:
        yield line


def _line(line: bytes, redactor: Redactor) -> bytes:
    found = HEADER.fullmatch(line)
    if found is None:
        return redactor.data(line)
    ((_, value),), _ = redactor.headers([(found[2], found[3])], "result.headers")
    return line if value == found[3] else found[1] + value


def _body(head: bytes, body: bytes, redactor: Redactor) -> bytes:
    found = (HEADER.fullmatch(line) for line in head.split(b"\r\n")[1:])
    headers = [(each[2], each[3]) for each in found if each is not None]
    kind, coding = header(headers, b"content-type"), codings(headers)
    content, is_ended = _content(head, body)
    if content is None:
        return redactor.body(body, kind, coding, "result.body")[0]
    new, _ = redactor.body(content, kind, coding, "result.body")
    if new == content:  # what is left is its framing and trailers
        return redactor.body(body, "", "", "result.body")[0]
    return b"%x\r\n%b\r\n%b" % (len(new), new, LAST_CHUNK if is_ended else b"")


def _content(head: bytes, body: bytes) -> tuple[bytes | None, bool]:
    """Of a chunked body, with whether it came to its end; None of any other."""
    if CHUNKED.search(head) is None:
        return None, False
    reader = ChunkReader()
    try:
        return reader.feed(body), reader.is_ended
    except ValueError:
        return None, False
