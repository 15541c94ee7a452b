"""Celery with its broker and its results in Redis, and tasks that ask the same Redis for themselves."""

from __future__ import annotations

import os
from typing import Any

import redis
from celery import Celery, signals

URL = os.environ.get("REDIS", "redis://cache.example:6379")

app = Celery("tasks", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)


@app.task(name="tasks.tally")  # type: ignore[untyped-decorator]  # Celery has no types
def tally(number: int) -> int:
    client: Any = redis.Redis.from_url(f"{URL}/2")
    with client.lock("tally:lock", timeout=10):
        client.set("last", number)
        noted: int = client.incr("tally")
    note.delay(noted)
    return noted


@app.task(name="tasks.note")  # type: ignore[untyped-decorator]  # Celery has no types
def note(number: int) -> None:
    client: Any = redis.Redis.from_url(f"{URL}/2")
    client.rpush("notes", number)


@app.task(name="tasks.tidy")  # type: ignore[untyped-decorator]  # Celery has no types
def tidy(number: int) -> int:
    return number


@signals.task_postrun.connect  # type: ignore[untyped-decorator]  # as above
def clean_up(task: Any = None, **_: Any) -> None:
    """As applications count what has run; the task's span has ended by then."""
    if task.name == "tasks.tidy":
        redis.Redis.from_url(f"{URL}/2").incr("tidied")
