"""Clients that were made before the instrumentor went in: pymongo gives them no listener any more, and they make no
spans. What they ask is recorded all the same, for the span that is current, and a warning says so once.
"""

from __future__ import annotations

from typing import Any, Final

from timetracer_otel.capture import guard
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.drivers.pymongo.names import LIBRARY

LISTENERS: Final = "_EventListeners__command_listeners"
ENABLED: Final = "_EventListeners__enabled_for_commands"
SEEN: Final = "_timetracer_seen"
"""Attribute of a client's listeners."""
WARNING: Final = (
    "a MongoClient was made before pymongo was instrumented: it makes no spans, the command that told us is not "
    "recorded, later ones are; call PymongoInstrumentor().instrument() earlier, or start with opentelemetry-instrument"
)

_has_warned = False


def look_at(connection: Any) -> None:
    """A command leaves of which no listener has told: its client is adopted if it has none of the instrumentor's."""
    listeners = getattr(connection, "listeners", None)
    if listeners is None or hasattr(listeners, SEEN):
        return
    active = tape()
    if active is None or not active.listens():
        return
    setattr(listeners, SEEN, True)
    from opentelemetry.instrumentation.pymongo import CommandTracer

    known = getattr(listeners, LISTENERS, None)
    if not isinstance(known, list) or any(isinstance(each, CommandTracer) for each in known):
        return
    known.append(_listener())
    setattr(listeners, ENABLED, True)
    _warn()


def _warn() -> None:
    global _has_warned
    if not _has_warned:
        _has_warned = True
        guard.warn(WARNING)


def _listener() -> Any:
    from pymongo.monitoring import CommandListener

    from timetracer_otel.drivers.pymongo import hooks

    guarded_ = guarded(LIBRARY)
    started, succeeded, failed = guarded_(hooks.started), guarded_(hooks.succeeded), guarded_(hooks.failed)

    class Adopted(CommandListener):
        """Tells the taps what the instrumentor's listener would."""

        def started(self, event: Any) -> None:
            started(event, None)

        def succeeded(self, event: Any) -> None:
            succeeded(event)

        def failed(self, event: Any) -> None:
            failed(event)

    return Adopted()
