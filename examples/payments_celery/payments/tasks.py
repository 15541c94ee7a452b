"""The worker's tasks. Order 12345 cannot be paid, and the log does not say why."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from celery import Celery, chord

app = Celery("payments", broker=os.environ.get("BROKER_URL", "redis://broker.prod.example:6379/0"))
app.conf.update(result_backend=os.environ.get("RESULT_URL", "redis://broker.prod.example:6379/1"))
DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://payments@db.prod.example/payments")


class GatewayBusy(Exception):
    pass


@app.task(bind=True)
def process_payment(self: Any, order_id: int) -> int:
    with psycopg.connect(DATABASE_URL) as connection:
        rows = connection.execute("SELECT cents, tax FROM lines WHERE order_id = %s", (order_id,)).fetchall()
        total = sum(cents + cents * tax // 100 for cents, tax in rows)
        connection.execute("INSERT INTO payments VALUES (%s, %s)", (order_id, total))
    capture.delay(order_id, total)
    return total


@app.task(bind=True, autoretry_for=(GatewayBusy,), default_retry_delay=0, max_retries=3)
def capture(self: Any, order_id: int, cents: int) -> str:
    if self.request.retries == 0:
        raise GatewayBusy(f"order {order_id}: try again")
    return f"order {order_id}: {cents} captured at attempt {self.request.retries}"


@app.task
def totals(order_ids: list[int]) -> None:
    chord((total_of.s(order_id) for order_id in order_ids), report.s())()


@app.task
def total_of(order_id: int) -> int:
    with psycopg.connect(DATABASE_URL) as connection:
        row = connection.execute("SELECT sum(cents) FROM lines WHERE order_id = %s", (order_id,)).fetchone()
    return int(row[0] or 0) if row else 0


@app.task
def report(sums: list[int]) -> str:
    return f"{len(sums)} orders, {sum(sums)} cents"


def create_tables() -> None:
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute("CREATE TABLE lines (order_id int, cents int, tax int)")
        connection.execute("CREATE TABLE payments (order_id int, cents int)")
        connection.execute("INSERT INTO lines VALUES (7, 1000, 19), (7, 250, 7), (12345, 400, 19), (12345, 90, NULL)")


if __name__ == "__main__":
    create_tables()
