"""The tables. `python -m orders.models` creates and fills them."""

import asyncio
import enum
import os
from datetime import datetime, timezone
from decimal import Decimal

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Numeric
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

DRIVER = os.environ.get("ORDERS_DRIVER", "psycopg")
"""Or asyncpg."""
URL = os.environ.get("DATABASE_URL", "postgresql://shop@localhost:5432/shop")

engine = create_async_engine(URL.replace("postgresql://", f"postgresql+{DRIVER}://", 1), pool_size=2)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Status(enum.Enum):
    OPEN = "open"
    SENT = "sent"


class Product(Base):
    __tablename__ = "products"
    __table_args__ = (CheckConstraint("stock >= 0", name="products_in_stock"),)
    sku: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    buyer: Mapped[str]
    status: Mapped[Status] = mapped_column(default=Status.OPEN)
    placed: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    shipping: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    lines: Mapped[list["Line"]] = relationship(order_by="Line.sku")


class Line(Base):
    __tablename__ = "lines"
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("products.sku"), primary_key=True)
    quantity: Mapped[int]
    product: Mapped[Product] = relationship()


class Voucher(Base):
    __tablename__ = "vouchers"
    code: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


def fill(session: AsyncSession) -> None:
    mug = Product(sku="MUG-01", name="Mug", price=Decimal("8.50"), stock=20)
    tea = Product(sku="TEA-07", name="Green tea", price=Decimal("5.25"), stock=3)
    day = datetime(2026, 3, 1, 10, 15, tzinfo=timezone.utc)
    sent = Order(buyer="ming", status=Status.SENT, placed=day, shipping=Decimal("4.90"))
    sent.lines = [Line(product=mug, quantity=2), Line(product=tea, quantity=1)]
    fetched = Order(buyer="ada", placed=day, lines=[Line(product=tea, quantity=2)])
    session.add_all([sent, fetched])


async def create() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with new_session.begin() as session:
        fill(session)
        await session.flush()
        session.add(Voucher(code="SPRING", order_id=1))
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(create())
