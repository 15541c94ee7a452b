"""What drivers do by themselves: never a miss, never waited for."""

from __future__ import annotations

from typing import Final

from timetracer_otel.wire.mongo.backend import GREETINGS

HOUSEWORK: Final = "housework"
"""`op` of a recorded request of this kind."""
BY_ITSELF: Final = frozenset({"endSessions", "killCursors", "killSessions", "refreshSessions"})
"""When the driver sends them depends on garbage collection and on when a client is closed."""
NEVER_MISSED: Final = BY_ITSELF | GREETINGS | {"ping", "buildInfo", "buildinfo"}
"""Answered with success where nothing is recorded."""


def is_housework(name: str) -> bool:
    """The stub answers each greeting by itself, that of an application too."""
    return name in BY_ITSELF or name in GREETINGS
