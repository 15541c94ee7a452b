# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""More of the application under test: every way to send and to read, one after another. It is copied beside
`payments.py`, and a worker imports it by `-I ways`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from celery import chain, chord, group
from celery.exceptions import Reject, TimeoutError
from celery.result import ResultSet, allow_join_result, result_from_tuple

# Found beside this file by a worker.
from payments import add, app, failed, refuse, told, total  # type: ignore[import-not-found]

IN_PIECES = [(1, 1), (1, 2), (1, 3)]


def task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    return lambda function: app.task(name=f"payments.{function.__name__}", **options)(function)


@task()
def sends(x: int) -> None:
    """One message each."""
    add.delay(x, 1)
    add.s(x, 2).delay()
    add.si(x, 3).apply_async(countdown=1)
    add.signature((x, 4), immutable=True).apply_async(expires=datetime.now(timezone.utc) + timedelta(minutes=5))
    app.signature("payments.add", args=(x, 5)).apply_async(priority=5, headers={"own": {"a": [1]}}, shadow="other")
    add.apply_async((x, 6), retry=False, ignore_result=True, serializer="yaml", add_to_parent=False)
    add.apply_async((x, 7), serializer="msgpack", routing_key="celery")
    add.apply_async((x, 8), serializer="pickle", compression="zlib")
    with app.producer_pool.acquire(block=True) as producer:
        add.apply_async((x, 9), producer=producer)
    with app.connection_for_write() as connection:
        add.apply_async((x, 10), connection=connection)
    add.apply_async((x, 11), link=[add.s(1), add.s(2)], link_error=told.s("late"))
    linked = add.s(x, 12)
    linked.link(add.s(3))
    linked.link_error(failed.s())
    linked.apply_async()
    stamped = add.s(x, 13)
    stamped.stamp(tenant="t7")
    stamped.apply_async()
    app.send_task("payments.add", (x, 14), root_id="r-1", parent_id="p-1", time_limit=100, soft_time_limit=90)
    beside = threading.Thread(target=add.delay, args=(x, 15))
    beside.start()
    beside.join()
    add.apply((x, 16))  # eagerly: no message


@task()
def sends_pieces() -> None:
    add.starmap(IN_PIECES).apply_async()
    total.map([[1, 2], [3]]).apply_async()
    add.chunks(IN_PIECES, 2).apply_async()
    add.chunks(IN_PIECES, 2).group().apply_async()
    group(add.s(1, 1), group(add.s(1, 2), add.s(1, 3))).apply_async()


@task()
def sends_chords() -> None:
    """Those of chunks too, as bodies: by itself and as a group."""
    chord([add.s(1, 1), add.s(1, 2)], add.chunks(IN_PIECES, 2)).apply_async()
    chord([add.s(1, 1), add.s(1, 3)], add.chunks(IN_PIECES, 2).group().set(immutable=True)).apply_async()
    chord([add.s(1, 1), add.s(1, 4)])(total.s().set(countdown=1))
    chord([], total.s()).apply_async()
    (group(add.s(1, 5), add.s(1, 6)) | total.s() | add.s(1)).apply_async()
    chain(add.s(1, 7), group(add.s(1), add.s(2)), total.s()).apply_async(countdown=1)


@task()
def asks(x: int) -> list[Any]:
    job = group(add.s(x, 1), refuse.s(x), add.s(x, 2)).apply_async()
    with allow_join_result():
        found: list[Any] = [[repr(each) for each in job.get(timeout=30, propagate=False)]]
        found += [job.ready(), job.successful(), job.failed(), job.waiting(), job.completed_count()]
        one, bad = add.delay(x, 3), refuse.delay(x)
        found += [one.get(timeout=30, interval=0.1), one.ready(), one.result, one.info, one.name, one.args]
        found += [repr(bad.get(timeout=30, propagate=False)), bad.failed(), bad.traceback is not None]
        found.append(ResultSet([add.delay(x, 4), add.delay(x, 5)], app=app).join(timeout=30))
        found.append(result_from_tuple(add.delay(x, 6).as_tuple(), app).get(timeout=30))
        found.append([value for _, value in (add.s(x, 7) | add.s(1)).apply_async().collect(timeout=30)])
        called: list[int] = []
        add.delay(x, 8).get(timeout=30, callback=lambda _, value: called.append(value))
        one.forget()
    return [*found, called]


@task()
def dawdles(x: int) -> int:
    time.sleep(2.5)
    return x


@task()
def waits_too_short(x: int, is_joined: bool) -> list[Any]:
    """A time-out of a group, and then all of it."""
    job = group(add.s(x, 1), dawdles.s(x), add.s(x, 2)).apply_async()
    get = job.join if is_joined else job.get
    with allow_join_result():
        try:
            get(timeout=1.0)
        except TimeoutError as error:
            return [str(error), get(timeout=30)]
    return []


@task()
def waits_too_short_for_a_chord(x: int) -> list[Any]:
    last = chord([add.s(x, 1), dawdles.s(x)], total.s()).apply_async()
    with allow_join_result():
        try:
            last.get(timeout=0.5)
        except TimeoutError as error:
            return [str(error), last.get(timeout=30)]
    return []


@task(bind=True)
def stores(self: Any) -> list[str]:
    """Past Celery's own ways: by the backend, and from a thread."""
    own = self.request.id
    app.backend.store_result(own, {"done": 1}, "OWN")
    found = [app.AsyncResult(own).state]
    beside = threading.Thread(target=self.update_state, args=(own, "HALF", {}))
    beside.start()
    beside.join()
    return [*found, app.AsyncResult(own).state]


@task()
def given(*args: Any, **kwargs: Any) -> str:
    return repr((args, kwargs))


@task(bind=True, acks_late=True)
def comes_again(self: Any) -> bool:
    if not self.request.delivery_info.get("redelivered"):
        raise Reject("once more", requeue=True)
    return True
