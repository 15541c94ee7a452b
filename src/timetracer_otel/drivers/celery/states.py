"""States that a task gives itself, for whoever looks how far it is: `self.update_state(...)`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.celery import tasks
from timetracer_otel.drivers.celery.names import LIB, STATES
from timetracer_otel.drivers.patches import Patches


def install(patches: Patches) -> None:
    from celery.app.task import Task

    patches.put(Task, "update_state", _heard(Task.update_state))


def _heard(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def update_state(self: Any, task_id: Any = None, state: Any = None, meta: Any = None, **kwargs: Any) -> Any:
        _note(self, task_id, state, meta)
        return original(self, task_id, state, meta, **kwargs)

    return update_state


@guarded(LIB)
def _note(task: Any, task_id: Any, state: Any, meta: Any) -> None:
    hearing = tasks.of(task)
    if hearing is not None:
        other = {} if task_id is None or task_id == hearing.task_id else {"task_id": task_id}
        hearing.note(STATES, state=state, meta=meta, **other)
