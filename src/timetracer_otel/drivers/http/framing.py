"""HTTP/1.1 as it went over the wire <-> its parts. Pure.

A response is taken apart only where its parts give back the same bytes; any other stays as it came.
Source: RFC 9112.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

Headers = Sequence[tuple[bytes, bytes]]
HEAD_END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"(HTTP/1\.[01]) ([2-5]\d\d) ([^\r\n]*)")
_HEADER: Final = re.compile(rb"([^\s:]+): ?([^\r\n]*)")
_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})\r\n")
_CUT_SIZE: Final = re.compile(rb"[0-9a-fA-F]{0,15}\r?")
LAST_CHUNK: Final = b"0\r\n\r\n"
_NO_BODY: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True)
class Response:
    version: bytes
    status: int
    reason: bytes
    headers: Headers
    pieces: Sequence[bytes]
    """Of the body without framing, one for each read; the first came together with the head."""
    chunks: Sequence[int] | None
    """Their sizes by the sender; None where it is not chunked."""
    is_complete: bool


def request_of(head: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """Method, target and header pairs of a request's head. Raises ValueError if it is none."""
    first, *lines = head.split(b"\r\n")
    method, target, _ = first.split(b" ", 2)
    pairs = (line.partition(b":") for line in lines if line)
    return method, target, [(name, value.strip()) for name, _, value in pairs]


def response_of(reads: Sequence[bytes], method: bytes) -> Response | None:
    """None if it would not give back what came."""
    data = b"".join(reads)
    head, end, body = data.partition(HEAD_END)
    lines = head.split(b"\r\n")
    status = _STATUS.fullmatch(lines[0])
    headers = [(found[1], found[2]) for found in map(_HEADER.fullmatch, lines[1:]) if found is not None]
    if not end or status is None or len(headers) != len(lines) - 1:
        return None
    cuts = [max(0, at - len(head) - len(end)) for at in accumulate(map(len, reads))]
    cuts = [cut for number, cut in enumerate(cuts) if cut or number + 1 == len(cuts) or cuts[number + 1]]
    made = Response(status[1], int(status[2]), status[3], headers, (), None, False)
    found = _with_body(made, body, cuts, method)
    if found is None or not _gives_back(b"".join(wire_of(found)), data):
        return None
    return found


def _with_body(head: Response, body: bytes, cuts: Sequence[int], method: bytes) -> Response | None:
    names = {name.lower(): value for name, value in head.headers}
    if method == b"HEAD" or head.status in _NO_BODY:
        return _made(head, [b""], None, not body) if not body else None
    if names.get(b"transfer-encoding", b"").strip().lower() == b"chunked":
        return _dechunked(head, body, cuts)
    pieces = [body[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    length = names.get(b"content-length", b"").strip()
    if length and not length.isdigit():
        return None
    if not length:
        return _made(head, pieces, None, False)  # its end is the connection's
    return _made(head, pieces, None, len(body) == int(length)) if len(body) <= int(length) else None


def _made(head: Response, pieces: Sequence[bytes], chunks: Sequence[int] | None, is_complete: bool) -> Response:
    return Response(head.version, head.status, head.reason, head.headers, pieces, chunks, is_complete)


def _dechunked(head: Response, body: bytes, cuts: Sequence[int]) -> Response | None:
    """Positions in the framed body become positions in the content."""
    content, sizes, spans, at = bytearray(), list[int](), list[tuple[int, int]](), 0
    is_complete = False
    while not is_complete and (found := _SIZE.match(body, at)) is not None:
        size = int(found[1], 16)
        if size == 0:
            is_complete = body[at:] == LAST_CHUNK
            break
        start = found.end()
        content += body[start : start + size]
        sizes.append(size)
        spans.append((start, len(content) - len(body[start : start + size])))
        at = start + size + 2
    ends = [_content_end(cut, spans, sizes) for cut in cuts]
    if ends:
        ends[-1] = len(content)
    pieces = [bytes(content[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    return _made(head, pieces, sizes, is_complete)


def _content_end(cut: int, spans: Sequence[tuple[int, int]], sizes: Sequence[int]) -> int:
    """How much content stands before this place of the framed body."""
    end = 0
    for (start, before), size in zip(spans, sizes, strict=True):
        if cut <= start:
            break
        end = before + min(size, cut - start)
    return end


def _gives_back(made: bytes, came: bytes) -> bool:
    """Equal, but for framing that was cut off."""
    if made == came:
        return True
    if made.startswith(came):
        return len(made) - len(came) <= 2
    return came.startswith(made) and _CUT_SIZE.fullmatch(came, len(made)) is not None


def wire_of(response: Response) -> list[bytes]:
    """What the client is to read, one item a read."""
    first = b"%b %d %b" % (response.version, response.status, response.reason)
    lines = [first, *(b"%b: %b" % pair for pair in response.headers)]
    reads = list(response.pieces) or [b""]
    if response.chunks is not None:
        reads = list(_chunked(reads, response.chunks, response.is_complete))
    return [b"\r\n".join(lines) + HEAD_END + reads[0], *reads[1:]]


def _chunked(pieces: Sequence[bytes], sizes: Sequence[int], is_complete: bool) -> Iterator[bytes]:
    ahead, left = iter(sizes), 0
    for number, piece in enumerate(pieces):
        framed, rest = bytearray(), piece
        while rest:
            if not left:
                left = next(ahead, len(rest))
                framed += b"%x\r\n" % left
            part, rest = rest[:left], rest[left:]
            framed += part
            left -= len(part)
            if not left:
                framed += b"\r\n"
        if is_complete and number + 1 == len(pieces):
            framed += LAST_CHUNK
        yield bytes(framed)
