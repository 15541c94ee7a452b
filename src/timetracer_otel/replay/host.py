"""What a driver's replay side is lent: the session of the calling context, and stub servers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from opentelemetry import trace

from timetracer_otel.capture.frames import app_frame
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Asked, ServerCore
from timetracer_otel.replay.handling import is_after_miss
from timetracer_otel.replay.journal import Journal
from timetracer_otel.replay.processor import Bindings, ReplaySpanProcessor
from timetracer_otel.replay.session import Session
from timetracer_otel.replay.stubs import StubServer


class Host:
    """Implements `drivers.base.ReplayHost`."""

    def __init__(
        self,
        bindings: Bindings,
        processor: ReplaySpanProcessor,
        journal: Journal,
        entry: Exchange | None = None,
    ) -> None:
        self._bindings, self._processor, self._journal = bindings, processor, journal
        self._entry = entry
        self._stubs: list[StubServer] = []

    def current(self) -> tuple[Session, Asked]:
        span = trace.get_current_span()
        session = self._bindings.of(span.get_span_context().trace_id)
        return session, Asked(
            frame=app_frame(),
            span=getattr(span, "name", ""),
            span_path=self._processor.path(),
            task=_task(),
            is_after_miss=is_after_miss(),
        )

    def early(self) -> Session | None:
        default = self._bindings.default
        return default if default.is_environment else None

    def serve(self, name: str, backend: Callable[[int], ServerCore]) -> Callable[[], int]:
        stub = StubServer(name, backend, self._journal)
        self._stubs.append(stub)
        return stub.port

    def foreign(self, lib: str, target: str) -> str | None:
        """None: a process of the replay's own leads its drivers before they connect."""
        return None

    def entry(self) -> Exchange | None:
        return self._entry

    def stop(self) -> None:
        """Closes the listeners."""
        for stub in self._stubs:
            stub.stop()


def _task() -> str:
    """Name and id: either may be that of another one that has ended."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        task = None
    if task is not None:
        return f"{task.get_name()} {id(task)}"
    thread = threading.current_thread()
    return f"{thread.name} {thread.ident}"
