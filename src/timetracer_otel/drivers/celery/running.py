"""Runs a recorded task again as a worker does: through Celery's own tracer, with the request that the worker had.

Never `task.apply()`: that makes a request of its own, is eager, and publishes nothing.
"""

from __future__ import annotations

import contextlib
import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from opentelemetry import baggage, context

from timetracer_otel.cassette.model import Exchange, Value
from timetracer_otel.drivers.celery import chords
from timetracer_otel.drivers.celery.jitter import recorded_jitter
from timetracer_otel.drivers.celery.limits import soft_limit
from timetracer_otel.drivers.celery.names import TRACE_HEADERS
from timetracer_otel.drivers.celery.record import line_up
from timetracer_otel.drivers.celery.typed import RESTORE_ERRORS, restore, unkept
from timetracer_otel.errors import ReplayError

BAGGAGE: Final = b"baggage"
Raised = Callable[[BaseException], None]


def run(
    app: object,
    exchange: Exchange,
    headers: Sequence[tuple[bytes, bytes]],
    entering: Callable[[Exchange], Exchange],
    raised: Raised | None,
) -> None:
    """Blocks until the task has ended. Raises ReplayError if it cannot be run as it was."""
    request = request_of(exchange)
    celery = _celery(app)
    task = _task(celery, exchange)
    with (
        _worker(celery, request),
        _bound(headers),
        _telling(raised),
        recorded_jitter(exchange.result),
        chords.of(exchange),
    ):
        line_up()
        sent = request_of(entering(exchange))
        with soft_limit(exchange):
            _trace(celery, task, sent)


# ---- what was recorded -----------------------------------------------------------------------------------------------


def request_of(exchange: Exchange) -> dict[str, Any]:
    """As the worker handed it to the tracer, without the trace that it belonged to: a copy of that stays among its
    headers. Raises ReplayError if it was not kept."""
    if not exchange.request:
        reason = (exchange.dropped or {}).get("reason", "it is incomplete")
        raise ReplayError(exchange.id, f"the task's arguments were not kept ({reason!s})", "record it again")
    context = exchange.request.get("context")
    if not isinstance(context, Mapping) or context.get("id") is None:
        # celery-batches does so, with the arguments of many messages: the request that signals tell of is an empty one.
        reason = "the task was not run by Celery's own tracer: its request has no id"
        raise ReplayError(exchange.id, reason, "replay what sent it, or call its function in a test of yours")
    fields = {**context, **_arguments(exchange)}
    try:
        request: dict[str, Any] = {name: restore(value) for name, value in fields.items()}
    except RESTORE_ERRORS as error:
        raise ReplayError(exchange.id, f"its arguments are damaged ({error})", "record it again") from error
    return {name: value for name, value in request.items() if name not in TRACE_HEADERS}


def _arguments(exchange: Exchange) -> dict[str, Value]:
    found = {name: exchange.request.get(name) for name in ("args", "kwargs")}
    for name, value in found.items():
        for path, kind in unkept(value, name):
            advice = "pass it something that JSON has, or an id"
            raise ReplayError(exchange.id, f"{path}, a {kind}, could not be kept when it was recorded", advice)
    return found


# ---- the worker ------------------------------------------------------------------------------------------------------


def _celery(app: object) -> Any:
    from celery import Celery

    if not isinstance(app, Celery):
        raise ReplayError("app", f"{type(app).__name__} is no Celery app", "name one as module:attribute")
    return app


def _task(app: Any, exchange: Exchange) -> Any:
    app.loader.import_default_modules()
    app.finalize()
    name = exchange.request.get("task")
    if name not in app.tasks:
        raise ReplayError(exchange.id, f"the app has no task {name!r}", "import its module: `include` of the app")
    return app.tasks[name]


@contextlib.contextmanager
def _worker(app: Any, request: Mapping[str, Any]) -> Iterator[None]:
    """The app as in a pool process: the same call path, and so the same traceback."""
    from celery import signals
    from celery._state import _set_task_join_will_block, task_join_will_block
    from celery.app.trace import reset_worker_optimizations, setup_worker_optimizations

    blocks = task_join_will_block()
    setup_worker_optimizations(app, request.get("hostname"))
    _set_task_join_will_block(not request.get("is_eager"))
    signals.worker_process_init.send(sender=None)
    try:
        yield
    finally:
        signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)
        _set_task_join_will_block(blocks)
        reset_worker_optimizations(app)


@contextlib.contextmanager
def _bound(headers: Sequence[tuple[bytes, bytes]]) -> Iterator[None]:
    """The session's baggage lies in the context in which the task's span begins: its request stays as it was."""
    pairs = [value.decode().partition("=") for name, value in headers if name == BAGGAGE]
    within = context.get_current()
    for key, _, value in pairs:
        within = baggage.set_baggage(key, value, within)
    token = context.attach(within)
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def _telling(raised: Raised | None) -> Iterator[None]:
    """Before Celery clears the frames of the failure."""
    if raised is None:
        yield
        return
    from celery import signals

    def failed(exception: Any = None, **_: object) -> None:
        raised(exception)

    signals.task_failure.connect(failed, weak=False)
    try:
        yield
    finally:
        signals.task_failure.disconnect(failed)


def _trace(app: Any, task: Any, request: dict[str, Any]) -> None:
    from celery.app.trace import build_tracer

    is_eager = bool(request.get("is_eager"))
    trace = build_tracer(task.name, task, app=app, hostname=request.get("hostname"), eager=is_eager)
    args, kwargs = request.get("args"), request.get("kwargs")
    with _pool():
        trace(request.get("id"), () if args is None else args, {} if kwargs is None else kwargs, request)


@contextlib.contextmanager
def _pool() -> Iterator[None]:
    """What Celery's tracer lets out after the end of the task, such as an `on_failure` that raises, ends no worker: a
    pool tells its main process, and goes on."""
    from celery import signals

    has_ended = False

    def ended(**_: object) -> None:
        nonlocal has_ended
        has_ended = True

    signals.task_postrun.connect(ended, weak=False)
    try:
        yield
    except Exception:
        if not has_ended:
            raise
        traceback.print_exc()
    finally:
        signals.task_postrun.disconnect(ended)
