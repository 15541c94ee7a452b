"""The web front of `payments`: it publishes, and knows nothing of the worker's process."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import payments  # type: ignore[import-not-found]  # it is copied beside this file
from celery import Celery, chain, chord, group
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def pay(request: Request) -> JSONResponse:
    sent = payments.process_payment.delay(order_id=request.path_params["order"])
    return JSONResponse({"task": sent.id, "state": payments.app.AsyncResult(sent.id).state})


async def eager(request: Request) -> JSONResponse:
    """Where `task_always_eager` is set, the task runs in the request."""
    sent = payments.process_payment.delay(order_id=request.path_params["order"])
    return JSONResponse({"task": sent.id, "state": sent.state, "receipt": sent.get()})


async def canvas(request: Request) -> JSONResponse:
    """Every way to publish."""
    add, total = payments.add, payments.total
    other = Celery("other", broker=payments.app.conf.broker_url, set_as_current=False)
    last = chain(add.s(1, 2), group(add.s(3), add.s(4)), total.s()).apply_async()
    body = chord([add.s(5, 6), add.s(7, 8)], total.s()).apply_async()
    by_name = other.send_task("x", (9,), queue="elsewhere")
    due = datetime.now(timezone.utc) + timedelta(hours=1)
    linked = add.apply_async((1, 1), eta=due, link=add.s(2), link_error=payments.told.s("late"))
    state = payments.app.AsyncResult(linked.id).state
    return JSONResponse([last.id, last.parent.id, body.id, by_name.id, linked.id, state])


app = Starlette(
    routes=[Route("/pay/{order:int}", pay), Route("/eager/{order:int}", eager), Route("/canvas", canvas)],
)
