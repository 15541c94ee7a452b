"""An exception of a task as the cassette keeps it: type, message, causes, Celery's own traceback text."""

from __future__ import annotations

from traceback import TracebackException
from typing import Final

from timetracer_otel.capture.frames import raised_in
from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.config import KIB
from timetracer_otel.drivers.celery.names import LIB

TEXT_MAX: Final = 64 * KIB
CAUSES_MAX: Final = 20
FRAMES_MAX: Final = 60


class HeardException:
    """Without its frames, which hold the app's variables."""

    __slots__ = ("causes", "message", "summary", "traceback", "type")
    causes: list[Value]
    summary: TracebackException | None

    def __init__(self, error: BaseException | type[BaseException], traceback: str | None = None) -> None:
        """Of an exception, or of the class of one: `retry` takes either. `traceback` is Celery's text of it."""
        self.traceback = traceback
        if isinstance(error, type):
            self.type, self.message, self.causes, self.summary = type_name(error), "", [], None
            return
        self.type, self.message = type_name(type(error)), _text(error) or ""
        self.causes = _causes(error)
        # Source lines are looked up when it is written.
        self.summary = TracebackException(
            type(error), error, error.__traceback__, limit=-FRAMES_MAX, lookup_lines=False
        )

    def encode(self) -> Payload:
        text = self.traceback if self.traceback is not None else self._text()
        return {
            "type": self.type,
            "message": _cut(self.message),
            "causes": self.causes,
            # The end of a traceback says more than its beginning.
            "traceback": text if len(text) <= TEXT_MAX else "...\n" + text[-TEXT_MAX:],
            "frame": "" if self.summary is None else raised_in(self.summary),
        }

    def _text(self) -> str:
        return "" if self.summary is None else "".join(self.summary.format())


def type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _causes(error: BaseException) -> list[Value]:
    """From the outside in: `raise ... from` is a cause, what was being handled is the context."""
    found: list[Value] = []
    step: BaseException | None = error
    while step is not None and len(found) < CAUSES_MAX:
        cause = step.__cause__
        relation = "cause" if cause is not None else "context"
        step = cause if cause is not None or step.__suppress_context__ else step.__context__
        if step is not None:
            found.append({"relation": relation, "type": type_name(type(step)), "message": _cut(_text(step) or "")})
    return found


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."


@guarded(LIB)
def _text(error: BaseException) -> str:
    return str(error)
