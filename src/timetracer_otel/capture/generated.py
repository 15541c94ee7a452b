"""uuid4: made by the app, seen by servers, and another one in every run. Recorded by a cheap append, given back in
replay.

Values are logged per call site, since one flat sequence would shift when a library caches an id per process.
`os.urandom` and `secrets` are never recorded: they are keys and session tokens.
"""

from __future__ import annotations

import os
import sys
import types
import uuid
from collections.abc import Callable
from typing import Final

from timetracer_otel.capture.guard import guarded

DEPTH: Final = 4
ENTRIES: Final = frozenset(
    {"asyncio.events", "asyncio.runners", "uvloop", "celery.app.trace", "threading", "concurrent.futures.thread"}
)
"""Above these modules stand a server in production and the replay's runner on the laptop. uvloop's own frames are none
of Python's: what is above them is whoever runs the loop."""

original: Final = uuid.uuid4
_CODE: Final = original.__code__
_new: Final = types.FunctionType(_CODE, original.__globals__)
"""What `original` does, also while it has another code."""

log: Callable[[str, uuid.UUID], None] | None = None
"""Called with call site and value while recording."""

source: Callable[[str, Callable[[], uuid.UUID]], uuid.UUID | None] | None = None
"""Asked for the value in replay, with call site and what makes a new one; None means that this is done."""


unseen: Final = set[types.CodeType]()
"""Code of libraries that makes ids which show in no exchange, such as those of single attempts: they are not logged."""

_process = 0
"""Its number: until `after_fork` a child does not log, since a lock of the log may be one that nobody gives back.

OpenTelemetry's SDK makes an id in the child, in a thread that it waits for, before hooks of ours run there.
"""


def install() -> None:
    """Replaces `uuid.uuid4` (idempotent). Runs before the app does `from uuid import uuid4`."""
    global _process
    _process, uuid.uuid4 = os.getpid(), uuid4


def after_fork() -> None:
    """The child's log is ready."""
    global _process
    _process = os.getpid()


def reach_all() -> None:
    """For a process whose modules have done `from uuid import uuid4` long ago: the function itself does something else,
    until `uninstall`."""
    original.__code__ = _STAND_IN


def uninstall() -> None:
    uuid.uuid4, original.__code__ = original, _CODE


def new() -> uuid.UUID:
    """By Python's own uuid4: not logged, and never one of the recording."""
    made: uuid.UUID = _new()
    return made


def _stand_in() -> uuid.UUID:
    """Runs as `original`, whose globals are those of another module: nothing of ours is in sight."""
    from timetracer_otel.capture.generated import uuid4 as ours

    return ours()


_STAND_IN: Final = _stand_in.__code__


def uuid4() -> uuid.UUID:
    """Generate a random UUID."""
    caller = sys._getframe().f_back
    return new() if caller is not None and caller.f_code in unseen else minted(new)


def minted(make: Callable[[], uuid.UUID]) -> uuid.UUID:
    """The recorded id of this call in replay, else a new one by `make`, which is logged while recording. For ids that a
    library makes by another function than uuid4, and that a server sees."""
    value = _serve(make) if source is not None else None
    if value is None:
        value = make()
    if log is not None and os.getpid() == _process:
        _log(value)
    return value


# Pickled by reference, and printed, as what it stands for: a process without us must find it again.
uuid4.__module__ = original.__module__


@guarded("uuid4")
def _serve(make: Callable[[], uuid.UUID]) -> uuid.UUID | None:
    return source(call_site(), make) if source is not None else None


@guarded("uuid4")
def _log(value: uuid.UUID) -> None:
    if log is not None:
        log(call_site(), value)


def call_site() -> str:
    """Who asks: up to four `module:function` from the inside out; without line numbers, which change with every
    edit."""
    frame, names = sys._getframe(1), list[str]()
    while frame is not None and len(names) < DEPTH:
        module = str(frame.f_globals.get("__name__"))
        if module in ENTRIES:
            break
        if not (module.startswith("timetracer_otel.") or frame.f_code is _STAND_IN):
            names.append(f"{module}:{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]  # typeshed: FrameType | None; the loop's condition reads it
    return "<".join(names)
