# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""The application under test: copied into a folder of its own, where it may be changed. BROKER and BACKEND say where
its servers are; without them it names those of production."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from celery import Celery, chain, chord, group, signals
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from celery.result import GroupResult, allow_join_result
from kombu.exceptions import OperationalError

if os.environ.get("SABOTAGE"):
    import sabotage  # type: ignore[import-not-found]  # noqa: F401  # it is copied beside this file

TRANSPORT = {
    "filesystem": {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"},
    "sqs": {"wait_time_seconds": 1, "polling_interval": 0.1},
}

app = Celery(
    "payments",
    broker=os.environ.get("BROKER", "redis://broker.prod.example:6379/0"),
    backend=os.environ.get("BACKEND", "redis://broker.prod.example:6379/1"),
)
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    result_extended=True,
    accept_content=["json", "yaml", "msgpack", "pickle"],
    result_accept_content=["json", "pickle"],
    task_store_eager_result=False,
    result_chord_retry_interval=0.2,
    broker_transport_options=TRANSPORT.get(os.environ.get("BROKER", "").partition(":")[0], {}),
    worker_lost_wait=1.0,
    worker_proc_alive_timeout=60.0,
    task_send_sent_event="NEWS" in os.environ,
    event_exchange=os.environ.get("NEWS", "celeryev"),
    task_always_eager=bool(os.environ.get("EAGER")),
    beat_schedule={"often": {"task": "payments.add", "schedule": 3.0, "args": (20, 4)}} if "BEAT" in os.environ else {},
)


class PaymentError(Exception):
    pass


class Declined(PaymentError):
    """With arguments of its own, which its message does not show."""

    def __init__(self, order: int, reason: str) -> None:
        super().__init__(order, reason)
        self.order, self.reason = order, reason

    def __str__(self) -> str:
        return f"order {self.order} was declined: {self.reason}"


class Unpicklable(Exception):
    def __init__(self, first: object, second: object) -> None:
        super().__init__(f"{first} {second}")
        self.lock = open(os.devnull)  # noqa: SIM115  a file cannot be pickled


class Noisy(app.Task):  # type: ignore[misc,name-defined]  # Celery has no types
    """Says what its hooks were told."""

    def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        note(f"on_failure {self.name} {exc!r} {args!r} {kwargs!r} {self.request.retries}")

    def on_retry(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        note(f"on_retry {self.name} {exc!r} {self.request.retries}")

    def on_success(self, retval: Any, task_id: Any, args: Any, kwargs: Any) -> None:
        note(f"on_success {self.name} {retval!r}")


class Paging(app.Task):  # type: ignore[misc,name-defined]  # Celery has no types
    """Its hook fails as well, after another task that it runs itself."""

    def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None:
        add.apply((1, 1))
        raise RuntimeError("the pager is down") from exc


@signals.before_task_publish.connect
def tell_region(headers: Any = None, **_: Any) -> None:
    """As applications pass on a tenant or a correlation id."""
    if headers is not None:
        headers["region"] = "eu-1"


def note(text: str) -> None:
    if path := os.environ.get("NOTES"):
        with open(path, "a") as notes:
            notes.write(text + "\n")


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def is_prepared() -> bool:
    """True if what writes the first part of a process is there before that."""
    return "timetracer_otel.exporters.encode" in sys.modules


@app.task
def total(items: list[int]) -> int:
    return sum(items)


@app.task(bind=True)
def about_me(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """All that a task can ask of itself."""
    request = self.request
    names = ["id", "root_id", "parent_id", "retries", "is_eager", "delivery_info", "hostname", "eta", "expires"]
    names += ["group", "group_index", "timelimit", "called_directly", "reply_to", "correlation_id", "ignore_result"]
    found = {name: getattr(request, name) for name in names}
    return {**found, "tenant": (request.headers or {}).get("tenant"), "args": repr(args), "kwargs": repr(kwargs)}


@app.task(bind=True, base=Noisy)
def process_payment(self: Any, order_id: int) -> str:
    receipt = str(uuid.uuid4())
    add.delay(order_id, 1)
    try:
        charge(order_id)
    except KeyError as error:
        raise Declined(order_id, f"no card in receipt {receipt[:0]}{self.request.id}") from error
    return receipt


def charge(order_id: int) -> None:
    if order_id >= 10_000:
        raise KeyError("card")


@app.task(bind=True, base=Noisy, autoretry_for=(PaymentError,), max_retries=2, default_retry_delay=1)
def flaky(self: Any, order: str) -> str:
    if self.request.retries < 2:
        raise PaymentError(f"{order}: attempt {self.request.retries}")
    return f"{order}: paid at attempt {self.request.retries}"


@app.task(bind=True, base=Noisy, autoretry_for=(PaymentError,), retry_backoff=1, max_retries=1)
def hopeless(self: Any, order: str) -> None:
    raise PaymentError(f"{order}: attempt {self.request.retries}")


@app.task(bind=True)
def retries_itself(self: Any, order: str) -> str:
    if self.request.retries == 0:
        raise self.retry(countdown=0.1, args=[order + "!"], exc=ValueError(order))
    return order


@app.task(bind=True, max_retries=1, ignore_result=True)
def retries_with_a_class(self: Any, order: str) -> None:
    raise self.retry(countdown=0.1, exc=PaymentError)


@app.task(bind=True)
def given_nothing(self: Any) -> str:
    return f"{self.request.args!r} {self.request.kwargs!r} {type(self.request.headers).__name__}"


@app.task
def chained(x: int) -> str:
    return str(chain(add.s(x, 1), add.s(2), add.s(3)).apply_async().id)


@app.task
def grouped(x: int) -> list[str]:
    return [each.id for each in group(add.s(x, number) for number in range(3)).apply_async().results]


@app.task
def with_chord(x: int) -> str:
    return str(chord((add.s(x, number) for number in range(3)), total.s()).apply_async().id)


@app.task
def linked(x: int) -> None:
    add.apply_async((x, 1), link=add.s(10), link_error=failed.s())
    refuse.apply_async((x,), link_error=[failed.s(), told.s("late")])


@app.task
def refuse(x: int) -> None:
    raise ValueError(f"refused {x}")


@app.task
def failed(request: Any, exc: Any, traceback: Any) -> None:
    """Celery calls an errback of this shape at once, in the task that failed."""
    note(f"failed {request.id} {exc!r} {add.delay(1, 1).id}")


@app.task
def told(task_id: str, when: str) -> str:
    """And one of this shape as a task of its own."""
    return f"{task_id} {when}"


@app.task
def sends_by_name(x: int) -> str:
    app.send_task("elsewhere.task", (x,), {"key": "value"}, countdown=60, queue="elsewhere", headers={"tenant": "t1"})
    other = Celery("other", broker=app.conf.broker_url, set_as_current=False)
    return str(
        other.send_task("other.task", (x,), eta=datetime.now(timezone.utc) + timedelta(hours=2), expires=7200).id
    )


@app.task
def refused(x: int) -> list[str]:
    """A broker that is not there refuses the first message; the second one finds its way."""
    gone = Celery("gone", broker="redis://127.0.0.1:1/0", set_as_current=False)
    try:
        gone.send_task("gone.task", (x,), retry_policy={"max_retries": 1, "interval_start": 0})
    except OperationalError as error:
        return [str(error), str(add.delay(x, 1).id)]
    return []


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def late(self: Any, x: int) -> list[Any]:
    if not self.request.delivery_info["redelivered"]:
        os._exit(4)
    return [x, self.request.delivery_info["redelivered"]]


@app.task
def reads(task_id: str) -> Any:
    with allow_join_result():
        return app.AsyncResult(task_id).get(timeout=50)


@app.task
def waits_in_vain() -> Any:
    with allow_join_result():
        return app.AsyncResult("11111111-2222-3333-4444-555555555555").get(timeout=0.3)


@app.task
def parent(x: int) -> Any:
    child = add.delay(x, 1)
    with allow_join_result():
        value = child.get(timeout=50)
    return [value * 2, child.state, app.AsyncResult("nobody").state]


@app.task(bind=True)
def joins(self: Any, x: int) -> Any:
    job = group(add.s(x, number) for number in range(3)).apply_async()
    job.save()
    self.update_state(state="JOINING", meta={"of": x})
    own = app.AsyncResult(self.request.id)
    on_the_way = [own.state, own.info, own.children]  # as the backend has them: Celery makes results of them in the end
    with allow_join_result():
        return [job.get(timeout=50), GroupResult.restore(job.id, app=app).completed_count(), on_the_way]


@app.task
def reads_on_the_way(has_chords: bool = True) -> Any:
    """States that Celery learns by itself while it waits for something else."""
    counted: tuple[Any, ...] = ()
    with allow_join_result():
        if has_chords:
            body = chord((add.s(1, number) for number in range(3)), total.s()).apply_async()
            counted = body.get(timeout=50), body.parent.completed_count()
        last = chain(naps.s(1), add.s(2)).apply_async()
        summed = last.get(timeout=50), last.parent.state, last.parent.get(timeout=50)
        broken = chain(refuse.s(1), add.s(2)).apply_async()
        try:
            broken.get(timeout=50)
        except ValueError as error:
            return [counted, summed, str(error), broken.state, broken.parent.state]
    return "it did not fail"


@app.task
def naps(x: int) -> int:
    """Long enough for whoever waits to ask for it more than once."""
    time.sleep(0.6)
    return x


@app.task
def reads_failure(task_id: str) -> str:
    result = app.AsyncResult(task_id)
    with allow_join_result():
        try:
            result.get(timeout=50)
        except PaymentError as error:
            return f"{type(error).__name__} {error} {result.state} {error.args!r}"
    return "it did not fail"


@app.task
def ignores() -> None:
    raise Ignore("not now")


@app.task
def rejects() -> None:
    raise Reject("never", requeue=False)


@app.task
def unpicklable() -> None:
    raise Unpicklable("a", "b")


@app.task(bind=True)
def replaces_itself(self: Any, x: int) -> Any:
    raise self.replace(add.s(x, 100))


@app.task
def unserialisable() -> object:
    """No JSON: its result cannot be stored, and so it fails."""
    return object()


@app.task(base=Paging)
def pages() -> None:
    raise KeyError("rate")


@app.task(bind=True)
def grows(self: Any, x: int) -> int:
    self.add_to_chord(add.s(x, 50))
    return x


@app.task(bind=True)
def sleeps(self: Any, seconds: float) -> None:
    Path(f"{self.request.id}.pid").write_text(f"{os.getpid()} {seconds}")
    time.sleep(seconds)


@app.task
def fails_chords(x: int) -> list[str]:
    """By a task, by one within a chain; and one with a body of several tasks."""
    told_of, both = total.s().on_error(failed.s()), group(total.s(), total.s().on_error(told.s("late")))
    sent = [chord([add.s(x, 1), refuse.s(x)], told_of), chord([refuse.s(x) | add.s(2), add.s(x, 3)], told_of.clone())]
    return [str(each.apply_async().id) for each in (*sent, chord([add.s(x, 4), refuse.s(x)], both))]


@app.task
def goes_on_in_many_ways(x: int) -> list[str]:
    """Chords whose body is a chain, a group, a chord."""
    begins = [add.s(x, number) for number in range(2)]
    bodies = [total.s() | add.s(1), group(told.si("a", "b"), total.s()), group(total.s(), total.s()) | total.s()]
    return [str(chord(begins, body).apply_async().id) for body in bodies]


@app.task(bind=True)
def tells_how_far(self: Any, steps: int) -> str:
    for number in range(steps):
        self.update_state(state="UNDER_WAY", meta={"done": number, "password": "hunter2"})
    if steps == 3:
        tells_how_far.apply(args=(2,))  # at once: what it tells is of another task
    return str(app.AsyncResult(self.request.id).state)


@app.task(bind=True)
def tells_past_itself(self: Any) -> None:
    """By the backend, and from a thread."""
    app.backend.store_result("another", {"done": 1}, "OWN")
    thread = threading.Thread(target=self.update_state, args=(self.request.id, "HALF", {}))
    thread.start()
    thread.join()
    self.update_state(state="OVER", meta={})


@app.task
def settles(order: int, api_key: str = "") -> str:
    if api_key != os.environ.get("PARTNER_KEY", "pk-live-0c1d2e3f4a5b6c7d"):
        raise PaymentError(f"order {order}: no such partner")
    return f"settled {order}"


@app.task(bind=True, soft_time_limit=1)
def comes_to_an_end(self: Any) -> str:
    try:
        time.sleep(60)
    except SoftTimeLimitExceeded:
        return f"ended, {add.delay(1, 1).id[:0]}"
    return "it had time enough"


@app.task(bind=True, max_retries=2)
def orders_again(self: Any, order: str, is_nested: bool = False) -> str:
    """Its own task stands in the middle of its attempts."""
    if not is_nested and self.request.retries == 0:
        orders_again.delay(order + "'", True)
    if self.request.retries < 2:
        raise self.retry(countdown=0.1, exc=PaymentError(order))
    return f"{order}: {self.request.retries}"


@app.task(bind=True)
def retries_elsewhere(self: Any, order: str) -> None:
    raise self.retry(countdown=3600, queue="kept", exc=PaymentError(order))


@app.task
def books(order: int) -> int:
    import psycopg

    with psycopg.connect(os.environ.get("DSN", "postgresql://app@books.prod.example/books")) as connection:
        return len(connection.execute("SELECT generate_series(1, %s::int)", (order,)).fetchall())


class Receipt:
    """What only pickle carries; it says when it is made from that."""

    def __setstate__(self, state: object) -> None:
        note("unpickled")

    def __getstate__(self) -> object:
        return {"a": 1}


AWARE = datetime(2024, 2, 29, 12, tzinfo=timezone.utc)
ODD: dict[str, list[Any]] = {
    "json": [{1: Decimal("1.10")}, date(2024, 2, 29), uuid.UUID(int=7), AWARE, b"\x00\xff", (1, (2,)), 2**70],
    "yaml": [{1: "x"}, date(2024, 2, 29), AWARE, b"\x00\xff", (1, (2,)), 2**70, {1}],
    "msgpack": [{"a": b"\x00\xff"}, (1, (2,)), 2**63, -0.0],
    "pickle": [
        *({1: Decimal("1.10")}, date(2024, 2, 29), uuid.UUID(int=7), AWARE, b"\x00\xff", (1, (2,)), 2**70),
        {frozenset({1}), frozenset({frozenset()})},
    ],
}


@app.task
def passes_on(serializer: str) -> str:
    return str(shows.apply_async(ODD[serializer], {"again": ODD[serializer]}, serializer=serializer).id)


@app.task(ignore_result=True)
def shows(*args: Any, **kwargs: Any) -> str:
    """Its result would have its arguments too, which are no JSON."""
    return f"{args!r} {kwargs!r}"


@app.task
def keeps() -> int:
    """How many objects this process has that nobody collects."""
    gc.collect()
    return len(gc.get_objects())


@app.task
def counts() -> int:
    return int(app.backend.client.incr("seen"))


@app.task
def exits() -> None:
    add.delay(40, 2)
    os._exit(3)
