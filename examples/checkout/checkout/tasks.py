"""What happens after a checkout, in a worker."""

from __future__ import annotations

import os

import httpx
import redis
from celery import Celery

app = Celery("checkout", broker=os.environ.get("BROKER_URL", "redis://broker.prod.example:6379/0"))
store = redis.from_url(os.environ.get("STORE_URL", "redis://store.prod.example:6379/2"), decode_responses=True)


@app.task(ignore_result=True)
def send_receipt(order: int) -> None:
    paid = store.hgetall(f"order:{order}")
    api = os.environ.get("PAYMENT_API", "https://api.payments.example")
    httpx.post(f"{api}/receipts", json={"order": order, "paid": paid}).raise_for_status()
    store.expire(f"order:{order}", 3600)
