"""The service's tasks. `python -m shop.tasks NAME COUNT` publishes from a process that does not trace."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psycopg
from celery import Celery

BROKER = os.environ.get("SHOP_BROKER", "filesystem://")

app = Celery("shop", broker=BROKER)
if BROKER == "filesystem://":
    FOLDER = Path("broker")
    FOLDER.mkdir(exist_ok=True)
    app.conf.broker_transport_options = {
        "data_folder_in": str(FOLDER),
        "data_folder_out": str(FOLDER),
        "control_folder": str(FOLDER / "control"),
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


@app.task  # type: ignore[untyped-decorator]  # celery has no types
def linger(number: int) -> None:
    """Has left its row, and goes on until somebody kills it."""
    charge(number)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    for each in range(int(sys.argv[2])):
        app.send_task(f"shop.tasks.{sys.argv[1]}", (each,))
