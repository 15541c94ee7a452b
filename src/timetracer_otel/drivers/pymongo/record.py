"""The taps: the instrumentor's listener says which command it is and in which span, the connection has the bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers.missing import require
from timetracer_otel.drivers.patches import Patches
from timetracer_otel.drivers.pymongo import hooks, selecting, selections, wires
from timetracer_otel.drivers.pymongo.names import LIBRARY, connection_classes

LOST: Final = "commands are not recorded"
EVENTS: Final = ("started", "succeeded", "failed")
GREET: Final = "_hello"

Hook: TypeAlias = Callable[..., Any]


class PymongoRecording:
    """Implements `drivers.base.Recording`."""

    def __init__(self) -> None:
        self._patches = Patches()

    def install(self) -> None:
        if self._patches:
            return
        from opentelemetry.instrumentation import pymongo as instrumentor

        tracer, (sync, asynchronous) = instrumentor.CommandTracer, connection_classes()
        require(LIBRARY, [(tracer, name) for name in EVENTS], LOST, own=True)
        require(LIBRARY, [(each, GREET) for each in (sync, asynchronous)], LOST, own=True)
        guard = guarded(LIBRARY)
        selections.needed(LOST)
        wires.put_in(self._patches, guard(hooks.sending), guard(hooks.received), LOST)
        selecting_, unselected = guard(selecting.selecting), guard(selecting.unselected)
        selections.put_in(self._patches, LOST, selecting_, unselected, guard(selecting.unconnected))
        self._patches.put(tracer, "started", _started(tracer.started, guard(_telling(instrumentor))))
        for name, hook in (("succeeded", hooks.succeeded), ("failed", hooks.failed)):
            self._patches.put(tracer, name, _before(getattr(tracer, name), guard(hook)))
        self._patches.put(sync, GREET, _greeting(vars(sync)[GREET], guard(hooks.greeted)))
        self._patches.put(asynchronous, GREET, _async_greeting(vars(asynchronous)[GREET], guard(hooks.greeted)))

    def uninstall(self) -> None:
        self._patches.undo()


RECORDING: Final = PymongoRecording()


def _telling(instrumentor: Any) -> Hook:
    key: Hook = getattr(instrumentor, "_get_span_dict_key", lambda event: event.request_id)

    def started(tracer: Any, event: Any) -> None:
        span = tracer._span_dict.get(key(event))
        if span is not None:  # else instrumentation is suppressed here
            hooks.started(event, span)

    return started


def _started(original: Hook, hook: Hook) -> Hook:
    @functools.wraps(original)
    def started(self: Any, event: Any) -> None:
        original(self, event)
        hook(self, event)

    return started


def _before(original: Hook, hook: Hook) -> Hook:
    """Before the span ends: its segment may be handed over with it."""

    @functools.wraps(original)
    def ended(self: Any, event: Any) -> None:
        hook(event)
        original(self, event)

    return ended


def _greeting(original: Hook, greeted: Hook) -> Hook:
    @functools.wraps(original)
    def hello(self: Any, *args: Any, **kwargs: Any) -> Any:
        said = original(self, *args, **kwargs)
        greeted(self, said)
        return said

    return hello


def _async_greeting(original: Hook, greeted: Hook) -> Hook:
    @functools.wraps(original)
    async def hello(self: Any, *args: Any, **kwargs: Any) -> Any:
        said = await original(self, *args, **kwargs)
        greeted(self, said)
        return said

    return hello
