"""A heard exception as the cassette keeps it: type, message, traceback text, and the app's own innermost frame."""

from __future__ import annotations

from typing import Final

from timetracer_otel.capture.frames import raised_in
from timetracer_otel.cassette.model import Payload
from timetracer_otel.config import KIB
from timetracer_otel.drivers.asgi.heard import HeardException

TRACEBACK_MAX: Final = 64 * KIB
MESSAGE_MAX: Final = 64 * KIB


def encode_exception(heard: HeardException) -> Payload:
    text = "".join(heard.traceback.format())
    return {
        "type": heard.type,
        "message": _cut(heard.message or "", MESSAGE_MAX),
        # The end of a traceback says more than its beginning.
        "traceback": text if len(text) <= TRACEBACK_MAX else "...\n" + text[-TRACEBACK_MAX:],
        "frame": raised_in(heard.traceback),
        "cancelled": heard.cancelled,
    }


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."
