"""The web front: it answers at once, and the worker does the work."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from payments.tasks import process_payment, totals


async def pay(request: Request) -> JSONResponse:
    sent = process_payment.delay(order_id=request.path_params["order"])
    return JSONResponse({"task": sent.id}, status_code=202)


async def sum_up(request: Request) -> JSONResponse:
    return JSONResponse({"task": totals.delay([7, 12345]).id}, status_code=202)


app = Starlette(routes=[Route("/pay/{order:int}", pay, methods=["POST"]), Route("/totals", sum_up, methods=["POST"])])
