"""The ear of whoever reads results: what `AsyncResult` and groups were told of other tasks, time-outs among it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.celery.heard import HeardAnswer, HeardRead
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.celery.typed import TooLarge
from timetracer_otel.drivers.patches import Patches

Method = Callable[..., Any]
"""Of Celery, which has no types."""

DEPTH_MAX: Final = 12
"""Frames between a backend and the read that it makes."""

_waited_for: ContextVar[str | None] = ContextVar("timetracer_celery_get", default=None)
"""The task that `.get()` waits for: how often it asks meanwhile is a matter of timing."""


def install(patches: Patches) -> None:
    from celery.result import AsyncResult, GroupResult, ResultSet

    patches.put(AsyncResult, "get", _heard_get(AsyncResult.get))
    patches.put(AsyncResult, "_get_task_meta", _heard_state(AsyncResult._get_task_meta))
    patches.put(ResultSet, "iter_native", _heard_group(ResultSet.iter_native))
    patches.put(GroupResult, "restore", classmethod(_heard_restore(vars(GroupResult)["restore"].__func__)))


# ---- Celery's methods, heard -----------------------------------------------------------------------------------------


def _heard_get(original: Method) -> Method:
    @functools.wraps(original)
    def get(self: Any, *args: Any, **kwargs: Any) -> Any:
        if tape() is None or self._cache:
            return original(self, *args, **kwargs)
        reading, token = _begin("get", self.id), _waited_for.set(self.id)
        error: BaseException | None = None
        try:
            return original(self, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _waited_for.reset(token)
            _end(reading, self._cache, error)

    return get


def _heard_state(original: Method) -> Method:
    @functools.wraps(original)
    def _get_task_meta(self: Any) -> Any:
        if tape() is None or self._cache is not None or _waited_for.get() == self.id:
            return original(self)
        reading = _begin("state", self.id)
        error: BaseException | None = None
        meta = None
        try:
            meta = original(self)
            return meta
        except BaseException as raised:
            error = raised
            raise
        finally:
            _end(reading, meta, error)

    return _get_task_meta


def _heard_group(original: Method) -> Method:
    @functools.wraps(original)
    def iter_native(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        waiting = {each.id: None for each in self.results}
        error: BaseException | None = None
        try:
            for task_id, meta in original(self, *args, **kwargs):
                waiting.pop(task_id, None)
                if not isinstance(meta, list):  # a group in the group: its own results are read one by one
                    _end(_begin("get", task_id), meta, None)
                yield task_id, meta
        except GeneratorExit:
            raise
        except BaseException as raised:
            error = raised
            raise
        finally:
            if error is not None and waiting:
                _end(_begin("get", next(iter(waiting))), None, error)

    return iter_native


def _heard_restore(original: Method) -> Method:
    @functools.wraps(original)
    def restore(cls: Any, id: Any, *args: Any, **kwargs: Any) -> Any:
        reading = _begin("group", id)
        group, error = None, None
        try:
            group = original(cls, id, *args, **kwargs)
            return group
        except BaseException as raised:
            error = raised
            raise
        finally:
            _end(reading, group, error)

    return restore


# ---- the exchange ----------------------------------------------------------------------------------------------------


Reading = tuple[Any, Any]
"""The tape, and what it has opened."""


@guarded(LIB)
def _begin(method: str, task_id: Any) -> Reading | None:
    to = tape()
    if to is None or not to.listens() or _is_of_backend():
        return None
    captured = to.open(LIB, HeardRead(method, str(task_id)))
    return (to, captured) if captured is not None else None


def _is_of_backend() -> bool:
    """True where a backend reads for itself, to see whether a chord is complete."""
    frame = sys._getframe(2)
    for _ in range(DEPTH_MAX):
        if frame.f_code.co_name == "on_chord_part_return":
            return True
        if frame.f_back is None:
            break
        frame = frame.f_back
    return False


@guarded(LIB)
def _end(reading: Reading | None, answer: Any, error: BaseException | None) -> None:
    if reading is None:
        return
    to, captured = reading
    try:
        heard = HeardAnswer(answer, error)
    except TooLarge:
        to.close(captured, None, 0, dropped="limit")
        return
    if heard.is_local:
        to.discard(captured)
    else:
        to.close(captured, heard, heard.size)
