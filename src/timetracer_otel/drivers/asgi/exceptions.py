"""A heard exception as the cassette keeps it: type, message, traceback text, and the app's own innermost frame."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Iterator
from traceback import FrameSummary, TracebackException
from typing import Final

from timetracer_otel.cassette.model import Payload
from timetracer_otel.config import KIB
from timetracer_otel.drivers.asgi.heard import HeardException

TRACEBACK_MAX: Final = 64 * KIB
MESSAGE_MAX: Final = 64 * KIB
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_OWN: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def encode_exception(heard: HeardException) -> Payload:
    text = "".join(heard.traceback.format())
    return {
        "type": heard.type,
        "message": _cut(heard.message or "", MESSAGE_MAX),
        # The end of a traceback says more than its beginning.
        "traceback": text if len(text) <= TRACEBACK_MAX else "...\n" + text[-TRACEBACK_MAX:],
        "frame": innermost_frame(heard.traceback),
        "cancelled": heard.cancelled,
    }


def innermost_frame(traceback: TracebackException) -> str:
    """`shop/web.py:31 show_order`: the innermost frame of the app's own; empty when there is none."""
    own = [frame for frame in _frames(traceback) if _is_app(frame.filename)]
    return f"{_shown(own[-1].filename)}:{own[-1].lineno} {own[-1].name}" if own else ""


def _frames(traceback: TracebackException) -> Iterator[FrameSummary]:
    """From the outside in; into an exception group through its first member, where a task's error stands."""
    yield from traceback.stack
    for member in (getattr(traceback, "exceptions", None) or [])[:1]:
        yield from _frames(member)


def _is_app(filename: str) -> bool:
    if filename.startswith("<") or any(part in filename for part in _INSTALLED):
        return False
    return not os.path.abspath(filename).startswith(_foreign())


@functools.cache
def _foreign() -> tuple[str, ...]:
    """Folders of Python's own modules and of ours."""
    paths = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), os.path.dirname(os.__file__), _OWN]
    return tuple({os.path.join(path, "") for path in (*paths, *map(os.path.realpath, paths))})


def _shown(filename: str) -> str:
    """Relative to the working directory, else to the longest folder of sys.path that holds the file, else as it is."""
    path = os.path.abspath(filename)
    roots = [os.getcwd(), *sorted(map(os.path.abspath, sys.path), key=len, reverse=True)]
    root = next((each for each in roots if path.startswith(os.path.join(each, ""))), None)
    return os.path.relpath(path, root) if root else path


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."
