"""Stands in for the payment API while the example is recorded. It settles what is above 100.00 a day later."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

PRICES = {"tea": 450, "pot": 3200, "table": 18900}


async def prices(request: Request) -> JSONResponse:
    return JSONResponse({sku: PRICES[sku] for sku in request.query_params.getlist("sku")})


async def charges(request: Request) -> JSONResponse:
    form = await request.form()
    amount = int(str(form["amount"]))
    settled = {"fee": amount // 40 + 25} if amount <= 10_000 else None
    return JSONResponse({"id": f"ch_{form['order']}", "amount": amount, "balance_transaction": settled})


async def receipts(request: Request) -> JSONResponse:
    return JSONResponse({"sent": (await request.json())["order"]})


app = Starlette(
    routes=[
        Route("/prices", prices),
        Route("/charges", charges, methods=["POST"]),
        Route("/receipts", receipts, methods=["POST"]),
    ]
)
