"""The shop's checkout: prices and charges come from a payment API, stock and carts lie in Redis."""

from __future__ import annotations

import os
from typing import Any

import httpx
import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from checkout.tasks import send_receipt

KEY = os.environ.get("PAYMENT_KEY", "sk_live_example")
api = httpx.AsyncClient(
    base_url=os.environ.get("PAYMENT_API", "https://api.payments.example"), headers={"Authorization": f"Bearer {KEY}"}
)
store = redis.from_url(os.environ.get("STORE_URL", "redis://store.prod.example:6379/2"), decode_responses=True)


async def check_out(request: Request) -> JSONResponse:
    order = request.path_params["order"]
    cart: dict[str, str] = await store.hgetall(f"cart:{order}")  # type: ignore[misc]  # redis-py says more than comes
    prices = (await api.get("/prices", params={"sku": list(cart)})).json()
    amount = sum(prices[sku] * int(number) for sku, number in cart.items())
    charge = await pay(order, amount)
    net = amount - charge["balance_transaction"]["fee"]
    await store.hset(f"order:{order}", mapping={"amount": amount, "net": net})  # type: ignore[misc]  # as above
    send_receipt.delay(order)
    return JSONResponse({"order": order, "amount": amount, "net": net})


async def pay(order: int, amount: int) -> Any:
    key = f"checkout-{order}"
    response = await api.post("/charges", data={"amount": amount, "order": order}, headers={"Idempotency-Key": key})
    return response.json()


app = Starlette(routes=[Route("/checkout/{order:int}", check_out, methods=["POST"])])
