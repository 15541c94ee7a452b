"""What records in this process: one recorder with its writer and processor, however many exporters are made."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from timetracer_otel.capture import generated, guard, process, table
from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.recorder import Recorder
from timetracer_otel.config import Settings
from timetracer_otel.errors import UsageError
from timetracer_otel.exporters import leaving
from timetracer_otel.exporters.outlets import Outlet, Outlets
from timetracer_otel.exporters.processor import SegmentProcessor
from timetracer_otel.exporters.sampling import record_unsampled
from timetracer_otel.exporters.writer import Writer

if TYPE_CHECKING:
    from timetracer_otel.redaction import Rules

EXIT_TIMEOUT_S: Final = 30.0
LEAVING_TIMEOUT_S: Final = 5.0
"""Of a server that has served its last request: whoever stops it waits, and may kill it after half a minute."""


@dataclass(frozen=True, slots=True)
class Active:
    settings: Settings
    recorder: Recorder
    writer: Writer
    processor: SegmentProcessor
    providers: weakref.WeakSet[object] = field(default_factory=weakref.WeakSet)
    """Those that the processor is attached to."""


_active: Active | None = None
_lock = threading.RLock()
_are_hooks_in = False
_forking: Active | None = None
"""What recorded when a fork began: the one whose writer is to be let go afterwards."""
_refused: set[str] = set()


def active() -> Active | None:
    """What records now; None while nothing does."""
    return _active


def settings_of_app() -> Settings | None:
    """From the environment; None after a bad value, or with a rule file that cannot be used: that is one line in the
    log, and the app goes on unrecorded."""
    try:
        settings = Settings.from_environment()
        if settings.mode == "record":
            _rules(settings.redact)
        return settings
    except UsageError as error:
        if str(error) not in _refused:
            _refused.add(str(error))
            guard.warn(f"recording is off: {error}")
        return None


def _rules(path: str | None) -> Rules | None:
    """Those of TIMETRACER_REDACT, read when recording starts; None for the built-in ones, which the first part loads.

    Raises UsageError.
    """
    if path is None:
        return None
    from timetracer_otel.redaction import load_rules

    return load_rules(path)


def start(settings: Settings, outlet: Outlet | None = None) -> Active:
    """Begins recording, or gives what records already: a second exporter writes into the store of the first.

    With an `outlet`, what is recorded goes there; into the store as well only if `into_store` was called. Without one
    it goes where it went before, or into the store.
    """
    global _active
    with _lock:
        store = os.path.abspath(settings.store)  # the app may change its working directory
        if _active is None:
            _active = _new(replace(settings, store=store), Outlets(outlet))
        elif outlet is not None:
            _active.writer.outlets.live = _active.writer.outlets.live or outlet
        elif _active.settings.store != store:
            guard.warn(f"recording into {_active.settings.store} already; {store} is not used")
        return _active


def into_store() -> None:
    """What is recorded from now on goes into the store too."""
    with _lock:
        if _active is not None:
            _active.writer.outlets.has_store = True


def _new(settings: Settings, outlets: Outlets) -> Active:
    process.process_id()  # made now, before the app forks: the child names it as its parent
    writer = Writer(settings, _rules(settings.redact), outlets)
    recorder = Recorder(settings, writer)
    writer.ledger = recorder
    table.activate(recorder)
    generated.log = recorder.generated
    generated.install()
    _install_hooks()
    return Active(settings, recorder, writer, SegmentProcessor(recorder))


def attach(provider: object) -> bool:
    """True if the provider's spans reach the recorder now. A proxy, or a foreign provider, takes no processor."""
    with _lock:
        add = getattr(provider, "add_span_processor", None)
        if _active is None or add is None:
            return False
        if provider not in _active.providers:
            _active.providers.add(provider)
            add(_active.processor)
            if _active.settings.record_unsampled:
                record_unsampled(provider)
        return True


def stop() -> None:
    """Ends recording: what is open is written, spans and exchanges that still come are ignored."""
    from timetracer_otel.drivers import taps

    global _active
    with _lock:
        if _active is None:
            return
        table.activate(None)
        generated.log = None
        generated.uninstall()
        _active.processor.shutdown()
        _active.processor.detach()
        _active.writer.close(EXIT_TIMEOUT_S)
        _active = None
    taps.leave()


def _install_hooks() -> None:
    global _are_hooks_in
    if not _are_hooks_in:
        _are_hooks_in = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)
        # The SDK's providers flush at exit by themselves, unless they were told not to.
        atexit.register(_at_exit)
        leaving.follow_uvicorn(_flush)


@guarded("fork")
def _before_fork() -> None:
    global _forking
    _forking = _active
    if _forking is not None:
        leaving.follow_multiprocessing(_at_exit)
        _forking.writer.before_fork()


@guarded("fork")
def _after_fork_in_parent() -> None:
    if _forking is not None:
        _forking.writer.after_fork_in_parent()


@guarded("fork")
def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    guard.after_fork()
    process.after_fork()
    if _active is not None:
        _active.writer.after_fork()
        _active.recorder.after_fork()
        generated.after_fork()


@guarded("exit")
def _at_exit() -> None:
    if _active is not None:
        if not _active.recorder.flush(EXIT_TIMEOUT_S, is_last=True):
            _tell_of_loss(_active.writer, EXIT_TIMEOUT_S)
        _active.writer.close(EXIT_TIMEOUT_S)


@guarded("leaving")
def _flush() -> None:
    if _active is not None and not _active.recorder.flush(LEAVING_TIMEOUT_S):
        _tell_of_loss(_active.writer, LEAVING_TIMEOUT_S)


def _tell_of_loss(writer: Writer, waited_s: float) -> None:
    """No part can say what this process does not live to write."""
    guard.warn(f"the process ends, and {writer.waiting} parts wait after {waited_s:.0f} s; what is not written is lost")
