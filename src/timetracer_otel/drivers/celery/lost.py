"""Tasks whose process died under them: a hard time limit, kill -9, os._exit, a crash in C. No span of theirs ends.

The worker's main process still holds the message, so it makes the span there, with the arguments and what Celery says
of the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

from opentelemetry import propagate, trace

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.celery.heard import HeardOutcome, HeardTask
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.patches import Patches

STATE: Final = "LOST"
Method = Callable[..., Any]
"""Of Celery, which has no types."""

_noted: WeakSet[Any] = WeakSet()
"""Requests: a hard time limit is told first, and then that its process is gone."""


def install(patches: Patches) -> None:
    from celery.worker.request import Request

    patches.put(Request, "on_timeout", _heard_timeout(Request.on_timeout))
    patches.put(Request, "on_failure", _heard_failure(Request.on_failure))


def _heard_timeout(original: Method) -> Method:
    @functools.wraps(original)
    def on_timeout(self: Any, soft: Any, timeout: Any) -> Any:
        if not soft:
            _timed_out(self, timeout)
        return original(self, soft, timeout)

    return on_timeout


def _heard_failure(original: Method) -> Method:
    @functools.wraps(original)
    def on_failure(self: Any, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        _failed(self, exc_info)
        return original(self, exc_info, *args, **kwargs)

    return on_failure


@guarded(LIB)
def _timed_out(request: Any, timeout: Any) -> None:
    from billiard.exceptions import TimeLimitExceeded

    _note(request, TimeLimitExceeded(timeout))


@guarded(LIB)
def _failed(request: Any, exc_info: Any) -> None:
    from billiard.exceptions import Terminated, WorkerLostError

    error = getattr(exc_info.exception, "exc", exc_info.exception)
    if isinstance(error, (WorkerLostError, Terminated, SystemExit, KeyboardInterrupt)):
        _note(request, error)


def _note(request: Any, error: BaseException) -> None:
    if (to := tape()) is None or request in _noted:
        return
    _noted.add(request)
    parent = propagate.extract(request.request_dict)
    tracer = trace.get_tracer("timetracer.celery")
    with tracer.start_as_current_span(f"lost/{request.name}", context=parent, kind=trace.SpanKind.CONSUMER) as span:
        to.entry_began()
        heard = HeardTask(request.app, request.name, _fields(request), join_will_block=True)
        captured = to.open(LIB, heard, is_entry=True)
        if captured is not None:
            to.close(captured, HeardOutcome(STATE, error, str(error)), heard.size, complete=False)
        span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))


def _fields(request: Any) -> dict[str, Any]:
    """As the child had them. Celery has decoded the message when it came."""
    args, kwargs, embed = request._payload
    own = {"args": args, "kwargs": kwargs, "hostname": request.hostname, "is_eager": False}
    return {**request.request_dict, **own, **(embed or {})}
