"""The shop's HTTP interface. `uvicorn shop.web:app`"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from shop import customers, orders
from shop.db import pool


class Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, default=plain).encode()


def plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def health(request: Request) -> Response:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")
    return Json({"status": "ok"})


async def list_orders(request: Request) -> Response:
    async with pool.connection() as connection:
        return Json({"orders": await orders.latest_orders(connection, request.query_params.get("status"))})


async def show_order(request: Request) -> Response:
    async with pool.connection() as connection:
        return Json(await orders.load_order(connection, request.path_params["id"]))


async def create_order(request: Request) -> Response:
    wanted = await request.json()
    async with pool.connection() as connection:
        order = await orders.place_order(connection, wanted["customer_id"], wanted["lines"])
    return Json(order, status_code=201, headers={"location": f"/orders/{order['id']}"})


async def show_customer(request: Request) -> Response:
    async with pool.connection() as connection:
        return Json(await customers.load_customer(connection, request.path_params["id"]))


async def login(request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    async with pool.connection() as connection:
        token = await customers.log_in(connection, form["email"], form["password"])
    if token is None:
        return Json({"error": "e-mail and password do not belong together"}, status_code=401)
    response = RedirectResponse("/orders", status_code=303)
    response.set_cookie("session", str(token), httponly=True, samesite="lax")
    return response


async def show_me(request: Request) -> Response:
    async with pool.connection() as connection:
        customer = await customers.who_is(connection, request.cookies.get("session", ""))
    return Json(customer) if customer else Json({"error": "log in first"}, status_code=401)


async def not_found(request: Request, error: Exception) -> Response:
    return Json({"error": f"there is no {error}"}, status_code=404)


async def out_of_stock(request: Request, error: Exception) -> Response:
    return Json({"error": str(error)}, status_code=409)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with pool:
        yield


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/orders", list_orders),
        Route("/orders", create_order, methods=["POST"]),
        Route("/orders/{id:int}", show_order),
        Route("/customers/{id:int}", show_customer),
        Route("/login", login, methods=["POST"]),
        Route("/me", show_me),
    ],
    exception_handlers={orders.NotFound: not_found, orders.OutOfStock: out_of_stock},
    lifespan=lifespan,
)
