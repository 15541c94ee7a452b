"""Orders: what is in them, what they cost, and placing a new one."""

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from shop.db import Connection

Row = dict[str, Any]


class NotFound(Exception):
    """There is no such order, customer or product."""


class OutOfStock(Exception):
    """Somebody wants more than there is."""


async def latest_orders(connection: Connection, status: str | None) -> list[Row]:
    """The newest first; `status` None means all of them."""
    cursor = await connection.execute(
        """
        SELECT o.id, o.reference, c.name AS customer, o.placed_at, o.status, count(*) AS lines
        FROM orders o JOIN customers c ON c.id = o.customer_id JOIN order_lines l ON l.order_id = o.id
        WHERE %(status)s::text IS NULL OR o.status = %(status)s
        GROUP BY o.id, c.name ORDER BY o.placed_at DESC LIMIT 20
        """,
        {"status": status},
    )
    return await cursor.fetchall()


async def load_order(connection: Connection, order_id: int) -> Row:
    """The order with its lines and its total."""
    cursor = await connection.execute(
        "SELECT id, reference, customer_id, placed_at, status, shipping, note FROM orders WHERE id = %s", (order_id,)
    )
    order = await cursor.fetchone()
    if order is None:
        raise NotFound(f"order {order_id}")
    order["lines"] = await load_lines(connection, order_id)
    order["total"] = total(order)
    return order


async def load_lines(connection: Connection, order_id: int) -> list[Row]:
    cursor = await connection.execute(
        """
        SELECT l.sku, p.name, l.quantity, l.price
        FROM order_lines l JOIN products p USING (sku) WHERE l.order_id = %s ORDER BY l.position
        """,
        (order_id,),
    )
    return await cursor.fetchall()


def total(order: Row) -> Decimal:
    goods = sum((line["price"] * line["quantity"] for line in order["lines"]), Decimal(0))
    payable: Decimal = goods + order["shipping"]
    return payable


async def place_order(connection: Connection, customer_id: int, lines: list[Row]) -> Row:
    """All of it or nothing: the caller's transaction ends with the call."""
    async with connection.transaction():
        order = await insert_order(connection, customer_id, uuid4())
        for position, line in enumerate(lines, start=1):
            product = await take_from_stock(connection, line["sku"], line["quantity"])
            await connection.execute(
                "INSERT INTO order_lines (order_id, position, sku, quantity, price) VALUES (%s, %s, %s, %s, %s)",
                (order["id"], position, line["sku"], line["quantity"], product["price"]),
            )
    return order


async def insert_order(connection: Connection, customer_id: int, reference: UUID) -> Row:
    cursor = await connection.execute(
        """
        INSERT INTO orders (reference, customer_id, shipping) VALUES (%s, %s, 4.90)
        RETURNING id, reference, placed_at, status
        """,
        (reference, customer_id),
    )
    order = await cursor.fetchone()
    assert order is not None  # RETURNING
    return order


async def take_from_stock(connection: Connection, sku: str, quantity: int) -> Row:
    cursor = await connection.execute("SELECT price, stock FROM products WHERE sku = %s FOR UPDATE", (sku,))
    product = await cursor.fetchone()
    if product is None:
        raise NotFound(f"product {sku}")
    if product["stock"] < quantity:
        raise OutOfStock(f"{quantity} of {sku} wanted, {product['stock']} left")
    await connection.execute("UPDATE products SET stock = stock - %s WHERE sku = %s", (quantity, sku))
    return product
