"""The ear of whoever reads results: what `AsyncResult` and groups were told of other tasks, time-outs among it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.celery import waits
from timetracer_otel.drivers.celery.heard import HeardAnswer, HeardRead
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.celery.typed import TooLarge
from timetracer_otel.drivers.celery.waits import Reading, Wait
from timetracer_otel.drivers.patches import Patches

Method = Callable[..., Any]
"""Of Celery, which has no types."""

DEPTH_MAX: Final = 12
"""Frames between a backend and the read that it makes."""

_waiting: ContextVar[Wait | None] = ContextVar("timetracer_celery_get", default=None)
"""The `.get()` that this code is in."""


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
        if tape() is None:
            return original(self, *args, **kwargs)
        wait = _begin_get(self, args, kwargs)
        token = _waiting.set(wait)
        error: BaseException | None = None
        try:
            return original(self, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _waiting.reset(token)
            _end_get(wait, error)

    return get


def _heard_state(original: Method) -> Method:
    @functools.wraps(original)
    def _get_task_meta(self: Any) -> Any:
        wait = _waiting.get()
        if tape() is None or (wait is not None and wait.result.id == self.id):
            return original(self)
        reading = _begin_state(self, wait)
        error: BaseException | None = None
        meta = None
        try:
            meta = original(self)
            return meta
        except BaseException as raised:
            error = raised
            raise
        finally:
            _end_state(reading, wait, self, meta, error)

    return _get_task_meta


def _heard_group(original: Method) -> Method:
    @functools.wraps(original)
    def iter_native(self: Any, *args: Any, **kwargs: Any) -> Any:
        metas = original(self, *args, **kwargs)
        return metas if tape() is None else _heard_metas(self.results, metas)

    return iter_native


def _heard_metas(results: Sequence[Any], metas: Iterable[Any]) -> Iterator[Any]:
    """As they come to whoever iterates."""
    waiting = _tell_all(results) or {}
    error: BaseException | None = None
    try:
        for task_id, meta in metas:
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
        _untell(waiting.values())
        if error is not None and waiting:
            _end(_begin("get", next(iter(waiting))), None, error)


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


# ---- what is heard of them -------------------------------------------------------------------------------------------


@guarded(LIB)
def _begin_get(result: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Wait:
    wait = Wait(result, _begin_of(result, "get"))
    propagates, follows = waits.chosen("propagate", args, kwargs), waits.chosen("follow_parents", args, kwargs)
    for parent in waits.parents(result) if propagates and follows else ():
        if parent._cache is not None:  # Celery looks at it without a question
            _end_state(_begin_state(parent, wait), wait, parent, parent._cache, None)
    return wait


@guarded(LIB)
def _end_get(wait: Wait | None, error: BaseException | None) -> None:
    if wait is None:
        return
    for aside in wait.asides.values():
        meta = aside.meta if aside.result._cache is None else aside.result._cache
        _end(aside.reading, meta, aside.error, aside.result)
    if wait.reading is not None and wait.ends_by_another(error):
        wait.reading.tape.discard(wait.reading.captured)
    else:
        _end(wait.reading, wait.result._cache, error, wait.result)


@guarded(LIB)
def _begin_state(result: Any, wait: Wait | None) -> Reading | None:
    if wait is None:
        return _begin_of(result, "state")
    if result.id not in wait.asides and (reading := _begin_of(result, "state")) is not None:
        wait.asides[result.id] = waits.Aside(result, reading)
    return None


@guarded(LIB)
def _end_state(reading: Reading | None, wait: Wait | None, result: Any, meta: Any, error: BaseException | None) -> None:
    if wait is None:
        _end(reading, meta, error, result)
    elif (aside := wait.asides.get(result.id)) is not None:
        aside.meta, aside.error = meta, error


def _begin_of(result: Any, method: str) -> Reading | None:
    """None also for a result that this segment has been told already: it is asked nothing more."""
    reading = _begin(method, result.id)
    if reading is not None and result._cache is not None and waits.is_told(result, reading):
        reading.tape.discard(reading.captured)
        return None
    return reading


@guarded(LIB)
def _tell_all(results: Sequence[Any]) -> dict[str, Any]:
    """By id. All that Celery learns of them from here on is heard as they come."""
    if results and (reading := _begin("get", "")) is not None:
        for result in results:
            waits.tell(result, reading)
        reading.tape.discard(reading.captured)
    return {each.id: each for each in results}


@guarded(LIB)
def _untell(results: Iterable[Any]) -> None:
    for result in results:
        waits.untell(result)


# ---- the exchange ----------------------------------------------------------------------------------------------------


@guarded(LIB)
def _begin(method: str, task_id: Any) -> Reading | None:
    to = tape()
    if to is None or not to.listens() or _is_of_backend():
        return None
    captured = to.open(LIB, HeardRead(method, str(task_id)))
    return Reading(to, captured) if captured is not None else None


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
def _end(reading: Reading | None, answer: Any, error: BaseException | None, result: Any = None) -> None:
    if reading is None:
        return
    if result is not None and result._cache is not None:
        waits.tell(result, reading)
    try:
        heard = HeardAnswer(answer, error)
    except TooLarge:
        reading.tape.close(reading.captured, None, 0, dropped="limit")
        return
    if heard.is_local:
        reading.tape.discard(reading.captured)
    else:
        reading.tape.close(reading.captured, heard, heard.size)
