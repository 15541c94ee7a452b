"""`uvicorn orders.web:app`"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

from orders.db import make_pool


class Line(BaseModel):
    sku: str
    quantity: int


class NewOrder(BaseModel):
    buyer: str
    lines: list[Line]
    voucher: str | None = None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with make_pool() as app.state.pool:
        yield


async def borrow(request: Request) -> AsyncIterator[Any]:
    async with request.app.state.pool.acquire() as connection:
        yield connection


app = FastAPI(lifespan=lifespan)
Connection = Annotated[Any, Depends(borrow)]


@app.get("/orders/{order_id}")
async def show_order(order_id: int, connection: Connection) -> dict[str, Any]:
    order = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    if order is None:
        raise HTTPException(404, "there is no such order")
    lines = await connection.fetch(
        "SELECT sku, name, quantity, price FROM lines JOIN products USING (sku) WHERE order_id = $1 ORDER BY sku",
        order_id,
    )
    total = sum(line["quantity"] * line["price"] for line in lines)
    return {**order, "lines": [dict(line) for line in lines], "card": order["gift"]["card"], "total": str(total)}


@app.post("/orders", status_code=201)
async def place_order(order: NewOrder, connection: Connection) -> dict[str, Any]:
    async with connection.transaction():
        number = await connection.fetchval("INSERT INTO orders (buyer) VALUES ($1) RETURNING id", order.buyer)
        lines = [(number, line.sku, line.quantity) for line in order.lines]
        await connection.executemany("INSERT INTO lines VALUES ($1, $2, $3)", lines)
        is_used = order.voucher is not None and not await redeem(connection, order.voucher, number)
        for line in order.lines:
            await take(connection, line)
    return {"id": number, "voucher": "used already" if is_used else order.voucher}


async def redeem(connection: Any, code: str, number: int) -> bool:
    """False if somebody was faster; the order goes on without it."""
    try:
        async with connection.transaction():
            await connection.execute("INSERT INTO vouchers VALUES ($1, $2)", code, number)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def take(connection: Any, line: Line) -> None:
    await connection.execute("UPDATE products SET stock = stock - $1 WHERE sku = $2", line.quantity, line.sku)
