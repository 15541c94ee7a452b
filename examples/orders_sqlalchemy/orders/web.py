"""`uvicorn orders.web:app`"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from orders.models import Line, Order, Product, Voucher, new_session


class Wanted(BaseModel):
    sku: str
    quantity: int


class NewOrder(BaseModel):
    buyer: str
    lines: list[Wanted]
    voucher: str | None = None


async def open_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


app = FastAPI()
Session = Annotated[AsyncSession, Depends(open_session)]


@app.get("/orders/{order_id}")
async def show_order(order_id: int, session: Session) -> dict[str, Any]:
    lines = selectinload(Order.lines).selectinload(Line.product)
    order = await session.get(Order, order_id, options=[lines])
    if order is None:
        raise HTTPException(404, "there is no such order")
    goods = sum((line.quantity * line.product.price for line in order.lines), Decimal(0))
    return {
        "id": order.id,
        "buyer": order.buyer,
        "status": order.status,
        "lines": [{"name": line.product.name, "quantity": line.quantity} for line in order.lines],
        "total": str(goods + order.shipping),
    }


@app.post("/orders", status_code=201)
async def place_order(order: NewOrder, session: Session) -> dict[str, Any]:
    async with session.begin():
        placed = await session.scalar(select(func.now()))
        row = Order(buyer=order.buyer, placed=placed, shipping=Decimal("4.90"))
        row.lines = [Line(sku=line.sku, quantity=line.quantity) for line in order.lines]
        session.add(row)
        await session.flush()
        is_used = order.voucher is not None and not await redeem(session, order.voucher, row.id)
        for line in order.lines:
            less = update(Product).where(Product.sku == line.sku).values(stock=Product.stock - line.quantity)
            await session.execute(less)
    return {"id": row.id, "voucher": "used already" if is_used else order.voucher}


async def redeem(session: AsyncSession, code: str, order_id: int) -> bool:
    """False if somebody was faster; the order goes on without it."""
    try:
        async with session.begin_nested():
            session.add(Voucher(code=code, order_id=order_id))
    except IntegrityError:
        return False
    return True
