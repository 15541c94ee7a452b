"""A recorded task that a program calls itself, `process_payment(order_id=12345)`: it runs with the recorded request.

So `self.request` is the recorded one, what the task publishes belongs to the recorded parent, and a retry is one.
"""

from __future__ import annotations

import functools
from typing import Any

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.celery.running import request_of
from timetracer_otel.drivers.patches import Patches


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
        return task.run(*request["args"], **request["kwargs"])
    finally:
        task.pop_request()
        _task_stack.pop()
