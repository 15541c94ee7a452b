"""Customers and their sessions."""

from typing import Any
from uuid import UUID, uuid4

from shop.db import Connection, digest
from shop.orders import NotFound

Row = dict[str, Any]


async def load_customer(connection: Connection, customer_id: int) -> Row:
    cursor = await connection.execute(
        "SELECT id, name, email, phone, preferences, since FROM customers WHERE id = %s", (customer_id,)
    )
    customer = await cursor.fetchone()
    if customer is None:
        raise NotFound(f"customer {customer_id}")
    return customer


async def log_in(connection: Connection, email: str, password: str) -> UUID | None:
    """The token of a new session; None if e-mail and password do not belong together."""
    cursor = await connection.execute(
        "SELECT id FROM customers WHERE email = %s AND password = %s", (email, digest(email, password))
    )
    customer = await cursor.fetchone()
    if customer is None:
        return None
    token = uuid4()
    await connection.execute(
        "INSERT INTO sessions (token, customer_id, expires_at) VALUES (%s, %s, now() + interval '12 hours')",
        (token, customer["id"]),
    )
    return token


async def who_is(connection: Connection, token: str) -> Row | None:
    """The customer of a session; None if there is no such session, or no longer."""
    cursor = await connection.execute(
        """
        SELECT c.id, c.name, c.email FROM sessions s JOIN customers c ON c.id = s.customer_id
        WHERE s.token::text = %s AND s.expires_at > now()
        """,
        (token,),
    )
    return await cursor.fetchone()
