"""A recorded task that a program calls itself, `process_payment(order_id=12345)`: it runs with the recorded request.

So `self.request` is the recorded one, what the task publishes belongs to the recorded parent, and a retry is one.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.celery.running import request_of
from timetracer_otel.drivers.patches import Patches

ENTRY: Final = "run/"
"""The instrumentor's name for a task that runs begins with it."""


def install(patches: Patches, recorded: Exchange) -> None:
    from celery._state import get_current_task
    from celery.app.task import Task

    original = Task.__call__

    @functools.wraps(original)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.name != recorded.request.get("task") or get_current_task() is not None:
            return original(self, *args, **kwargs)
        return _run(self, {**request_of(recorded), "called_directly": False, "args": args, "kwargs": kwargs})

    patches.put(Task, "__call__", __call__)


def _run(task: Any, request: dict[str, Any]) -> Any:
    from celery._state import _task_stack

    _task_stack.push(task)
    task.push_request(request)
    try:
        # In a span, as in the worker: a BEGIN or COMMIT in none is taken for one by which a pool sets a connection up.
        with trace.get_tracer(__name__).start_as_current_span(f"{ENTRY}{task.name}", kind=SpanKind.CONSUMER):
            return task.run(*request["args"], **request["kwargs"])
    finally:
        task.pop_request()
        _task_stack.pop()
