# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""The application of the golden cassette `celery`. Never changed once that is committed."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

SERVER = os.environ.get("GOLDEN_REDIS", "redis://redis.golden.internal:6379/")

app = Celery("golden", broker=f"{SERVER}0", backend=f"{SERVER}1")


@app.task
def receipt(total: int) -> int:
    return total


@app.task
def charge(order: int, *, currency: str) -> dict[str, Any]:
    receipt.apply_async((order * 7,), queue="receipts")
    return {"order": order, "currency": currency}
