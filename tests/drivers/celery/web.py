"""The web front of `payments`: it publishes, and knows nothing of the worker's process."""

from __future__ import annotations

import payments  # type: ignore[import-not-found]  # it is copied beside this file
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def pay(request: Request) -> JSONResponse:
    sent = payments.process_payment.delay(order_id=request.path_params["order"])
    return JSONResponse({"task": sent.id, "state": payments.app.AsyncResult(sent.id).state})


app = Starlette(routes=[Route("/pay/{order:int}", pay)])
