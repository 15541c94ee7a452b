"""The application of the golden cassette `asgi`. Never changed once that is committed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


async def order(request: Request) -> Response:
    asked = await request.json()
    key = uuid.uuid4()

    async def lines() -> AsyncIterator[bytes]:
        for number in range(asked["lines"]):
            yield f"{number} {request.path_params['name']} {key}\n".encode()

    return StreamingResponse(lines(), 201, {"x-order": str(key)}, "text/plain")


app = Starlette(routes=[Route("/orders/{name}", order, methods=["POST"])])
