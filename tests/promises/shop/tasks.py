"""The service's tasks. `python -m shop.tasks NAME COUNT` publishes from a process that does not trace."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psycopg
from celery import Celery

BROKER = Path("broker")
BROKER.mkdir(exist_ok=True)

app = Celery("shop", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(BROKER),
    "data_folder_out": str(BROKER),
    "control_folder": str(BROKER / "control"),
    "polling_interval": 0.05,
}


@app.task  # type: ignore[untyped-decorator]  # celery has no types
def charge(number: int) -> None:
    """Leaves a row; with its BEGIN and COMMIT that makes three requests."""
    with psycopg.connect(os.environ["SHOP_DSN"]) as connection:
        connection.execute("INSERT INTO charges VALUES (%s)", (str(number),))


@app.task  # type: ignore[untyped-decorator]  # celery has no types
def perish(number: int) -> None:
    """Is killed after three requests."""
    with psycopg.connect(os.environ["SHOP_DSN"], autocommit=True) as connection:
        for step in ("reserve", "charge", "confirm"):
            connection.execute("SELECT %s || %s", (step, str(number)))
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for each in range(int(sys.argv[2])):
        app.send_task(f"shop.tasks.{sys.argv[1]}", (each,))
