"""A service of large bodies and endless streams. What it sends is told by the URL, so that the other side knows it."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

PIECE: Final = 64 * 1024
PIECES_PER_MIB: Final = 16
FLIPPED: Final = "FLIPPED"
"""In the environment: one bit of the hundredth piece is another one."""


def noise(seed: int, mib: int) -> Iterator[bytes]:
    """Bytes of no kind: no search in them is quick."""
    return _numbered(random.Random(seed).randbytes(PIECE), mib)


def digits(seed: int, mib: int) -> Iterator[bytes]:
    """Text, though nobody says so."""
    return _numbered(random.Random(seed).randbytes(PIECE // 2).hex().encode(), mib)


def records(seed: int, mib: int) -> Iterator[bytes]:
    """JSON: it is redacted as a whole."""
    yield b"["
    yield from (b'{"number": %d, "text": "' % seed + piece + b'"},' for piece in digits(seed, mib))
    yield b"0]"


def _numbered(block: bytes, mib: int) -> Iterator[bytes]:
    for number in range(mib * PIECES_PER_MIB):
        yield b"%08d" % number + block[8:]


def events(count: int) -> Iterator[bytes]:
    return (b"id: %d\ndata: tick\n\n" % number for number in range(count))


KINDS: Final = {"noise": noise, "digits": digits, "records": records}


TYPES: Final = {"records": "application/json"}


async def download(request: Request) -> Response:
    kind, seed, mib = (request.path_params[name] for name in ("kind", "seed", "mib"))

    async def sent() -> AsyncIterator[bytes]:
        for number, piece in enumerate(KINDS[kind](seed, mib)):
            is_flipped = number == 100 and FLIPPED in os.environ
            yield piece[:-1] + bytes([piece[-1] ^ 1]) if is_flipped else piece

    return StreamingResponse(sent(), media_type=TYPES.get(kind, "application/octet-stream"))


async def upload(request: Request) -> Response:
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return JSONResponse({"sha256": digest.hexdigest(), "size": size})


async def stream(request: Request) -> Response:
    async def sent() -> AsyncIterator[bytes]:
        for event in events(request.path_params["count"]):
            yield event

    return StreamingResponse(sent(), media_type="text/event-stream")


app = Starlette(
    routes=[
        Route("/{kind}/{seed:int}/{mib:int}", download),
        Route("/upload", upload, methods=["POST"]),
        Route("/events/{count:int}", stream),
    ]
)
