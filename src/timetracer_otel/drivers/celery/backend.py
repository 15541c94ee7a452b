"""The result backend of a replay: reads are answered from the cassette, writes end here."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, Final

from celery import states
from celery.app import backends
from celery.backends.base import Backend, BaseBackend, BaseKeyValueStoreBackend, DisabledBackend, SyncBackendMixin
from celery.backends.rpc import RPCBackend
from celery.canvas import maybe_signature
from celery.exceptions import ChordError, ImproperlyConfigured

from timetracer_otel.drivers.base import ReplayHost
from timetracer_otel.drivers.celery import chords, past
from timetracer_otel.drivers.celery.reading import Reader, exception_of

OF_GROUPS: Final = ("save_group", "restore_group", "delete_group", "reload_task_result", "reload_group_result")
"""What the rpc backend refuses, without a question to anybody. Source: celery 5.4, `backends/rpc.py`."""


def backend_of(app: Any, host: ReplayHost) -> Any:
    """For this app, with the abilities of the backend that it is configured for."""
    real = _real(app)
    if issubclass(real, DisabledBackend):
        return real(app=app)
    return _class_for(real, Reader(host))(app=app)


def _real(app: Any) -> Any:
    """The class that the app's URL names; a plain one where its library is not installed here."""
    try:
        found, _ = backends.by_url(app.backend_cls or app.conf.result_backend, app.loader)
    except (ImproperlyConfigured, ImportError):
        return BaseBackend
    return found


def _class_for(real: Any, reader: Reader) -> Any:
    class ReplayBackend(Backend, SyncBackendMixin):  # type: ignore[misc]  # Celery has no types
        thread_safe = True
        persistent = getattr(real, "persistent", True)
        supports_native_join = getattr(real, "supports_native_join", False)
        supports_autoexpire = True
        task_cls = getattr(real, "task_cls", None)

        def _get_task_meta_for(self, task_id: str) -> Any:
            return reader.state(self, task_id)

        def wait_for_pending(
            self, result: Any, timeout: Any = None, callback: Any = None, propagate: bool = True, **kwargs: Any
        ) -> Any:
            result._maybe_set_cache(reader.get(self, result.id))
            return result.maybe_throw(propagate=propagate, callback=callback)

        def iter_native(self, result: Any, **kwargs: Any) -> Any:
            return reader.iterate(self, result.results)

        def _store_result(
            self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **kwargs: Any
        ) -> Any:
            if past.is_stored_past():
                reader.stored_past(state)
            if _serialises(real, request):  # what cannot be serialised fails the task there
                self.encode(self._get_result_meta(result, state, traceback, request))
            elif _is_database(real):  # which of it becomes text there depends on the release of Celery
                real._update_result(self, SimpleNamespace(), result, state, traceback=traceback, request=request)
            return result

        def __getattr__(self, name: str) -> Any:
            """What only the real backend has: a way to its server, or the key of a result there."""
            if hasattr(real, name):
                raise reader.unrecorded(name)
            raise AttributeError(f"{real.__name__!r} object has no attribute {name!r}", name=name, obj=self)

        def _save_group(self, group_id: str, result: Any) -> Any:
            return result

        def _restore_group(self, group_id: str) -> Any:
            return reader.group(self, group_id)

        def _delete_group(self, group_id: str) -> None: ...
        def _forget(self, task_id: str) -> None: ...
        def process_cleanup(self) -> None: ...

        def ensure_chords_allowed(self) -> None:
            real.ensure_chords_allowed(self)  # rpc and a disabled backend refuse chords

        def add_to_chord(self, chord_id: str, result: Any) -> None:
            if real.add_to_chord is Backend.add_to_chord:  # most refuse it
                super().add_to_chord(chord_id, result)

        def apply_chord(self, header_result_args: Any, body: Any, **kwargs: Any) -> None:
            if real.apply_chord is Backend.apply_chord:  # no counter there: a task of Celery's own waits for all
                super().apply_chord(header_result_args, body, **kwargs)
            else:
                self.ensure_chords_allowed()

        def on_chord_part_return(self, request: Any, state: str, result: Any, **kwargs: Any) -> None:
            """Who completes a chord is the answer of its backend, which counts: what was done then is done again."""
            if not request.chord:
                return
            if (failed := chords.error_of(request.chord, state)) is not None:
                self._fail_chord(maybe_signature(request.chord, app=self.app), *failed)
            elif (arguments := reader.completed_chord(request.chord)) is not None:
                body = maybe_signature(request.chord, app=self.app)
                body.delay(*arguments)

        def _fail_chord(self, body: Any, message: str, cause: Any) -> None:
            try:
                error = exception_of(self, cause["type"], cause["arguments"]) if cause else None
                raise ChordError(message) from error
            except ChordError as failed:  # Celery looks for the exception that is being handled
                self.chord_error_from_stack(body, failed)

        def get_state(self, task_id: str) -> Any:
            """Celery asks for itself whether a member of a chord has failed already, since its backend counts."""
            is_own = chords.is_of_backend(sys._getframe(1), "_fail_chain")
            return states.PENDING if is_own else super().get_state(task_id)

    for name in OF_GROUPS if issubclass(real, RPCBackend) else ():
        setattr(ReplayBackend, name, getattr(real, name))
    return ReplayBackend


def _serialises(real: Any, request: Any) -> bool:
    """Whether a result becomes text there as a whole. rpc sends it only to whoever waits for it."""
    if issubclass(real, RPCBackend):
        return bool(getattr(request, "reply_to", None))
    return issubclass(real, BaseKeyValueStoreBackend)


def _is_database(real: Any) -> bool:
    """Asked by what is done with a row: the class needs SQLAlchemy. Source: celery 5.4 to 5.7,
    `backends/database/__init__.py`."""
    return hasattr(real, "_update_result") and hasattr(real, "task_cls")
