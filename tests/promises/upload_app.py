"""What services do with an upload. `uvicorn tests.promises.upload_app:app`"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

left: list[str] = []
"""What became of clients that were waited for."""


class Streamed:
    """An application of its own: its answer begins with the first chunk, and ends with what it has read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read, message = hashlib.sha256(), await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"begun\n", "more_body": True})
        read.update(message["body"])
        while message["more_body"]:
            message = await receive()
            read.update(message["body"])
        await send({"type": "http.response.body", "body": read.hexdigest().encode()})


async def form(request: Request) -> Response:
    async with request.form() as fields:
        file: Any = fields["file"]
        read = hashlib.sha256()
        while piece := await file.read(1024 * 1024):
            read.update(piece)
        return JSONResponse({"size": file.size, "sha256": read.hexdigest(), "names": sorted(fields)})


async def ignored(request: Request) -> Response:
    return JSONResponse({"ignored": True}, headers={"connection": "close"})


async def polled(request: Request) -> Response:
    """Reads nothing, and waits until its client has left."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.001)
    left.append("gone")
    return Response(status_code=204)


async def seen(request: Request) -> Response:
    return JSONResponse(left)


routes = [
    Route("/streamed", Streamed(), methods=["POST"]),
    Route("/form", form, methods=["POST"]),
    Route("/ignored", ignored, methods=["POST"]),
    Route("/polled", polled, methods=["POST"]),
    Route("/left", seen),
]
app = Starlette(routes=routes)
