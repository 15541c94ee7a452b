"""The ear of whoever publishes: each task message as it leaves, and what came of it.

Celery sends every message of apply_async, send_task, retries and canvas through one function, `send_task_message`; it
is wrapped. OpenTelemetry's instrumentor leaves its span open, and current, when the broker refuses the message, and
closes it at once for a task that this process does not know by name: both are mended here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import Captured, Tape, hushed, tape
from timetracer_otel.drivers.celery.exceptions import HeardException
from timetracer_otel.drivers.celery.heard import OPTIONS, HeardPublish, message_fields
from timetracer_otel.drivers.celery.names import LIB
from timetracer_otel.drivers.celery.typed import TooLarge
from timetracer_otel.drivers.patches import Patches

UTILS: Final = "opentelemetry.instrumentation.celery.utils"
Sender = Callable[..., Any]
"""Of Celery, which has no types."""

is_replaying = False
"""Set by the replay side: then each message is heard, recorded or not."""


class Publishing:
    """One message on its way."""

    __slots__ = ("_app", "_captured", "_hush", "_options", "_tape", "_token", "heard", "name", "span_holder", "task_id")

    def __init__(self, app: object, name: str, task_id: str, options: Mapping[str, Any], to: Tape | None) -> None:
        self._app, self.name, self.task_id = app, name, task_id
        self._options, self._tape = options, to
        self._captured: Captured | None = None
        self.heard: HeardPublish | None = None
        self.span_holder: Any = None
        """The task object, in which the instrumentor keeps its span; what stands in for it where there is none."""
        self._hush: Token[bool] | None = None
        self._token: Token[Publishing | None] = _current.set(self)

    def leaves(self, fields: Mapping[str, Any]) -> None:
        """Under the span of the publish, which has just begun."""
        to = self._tape
        is_heard = to is not None and to.listens()
        if not (is_heard or is_replaying):
            return
        try:
            self.heard = HeardPublish(self._app, self.name, {**fields, **self._options}, time.time_ns())
        except TooLarge:
            self.heard = HeardPublish(self._app, self.name, {}, time.time_ns())
        self._captured = to.open(LIB, self.heard) if to is not None and is_heard else None

    def goes_out(self) -> None:
        """What the broker's library asks from here on is Celery's, by whichever driver: SQS by botocore."""
        self._hush = hushed.set(True)

    def is_out(self) -> None:
        """A second call does nothing."""
        hush, self._hush = self._hush, None
        if hush is not None:
            hushed.reset(hush)

    def sent(self) -> None:
        if self._tape is not None and self._captured is not None and self.heard is not None:
            dropped = None if self.heard.fields else "limit"
            self._tape.close(self._captured, None, self.heard.size, dropped=dropped)
            self._captured = None

    def failed(self, error: BaseException) -> None:
        from kombu.exceptions import SerializationError

        if self._tape is None or self._captured is None or self.heard is None:
            return
        if isinstance(error, SerializationError):  # it never came to the broker
            self._tape.discard(self._captured)
        else:
            self._tape.close(self._captured, HeardException(error), self.heard.size)

    def ended(self, error: BaseException | None) -> None:
        self.is_out()
        _current.reset(self._token)
        _end_span(self, error)


_current: ContextVar[Publishing | None] = ContextVar("timetracer_celery_publish", default=None)


def current() -> Publishing | None:
    """The message that this code is sending."""
    return _current.get()


# ---- Celery ----------------------------------------------------------------------------------------------------------


def install(patches: Patches) -> None:
    """Wraps the function by which every app sends; those that exist already keep the one that they have made."""
    from celery.app.amqp import AMQP

    patches.put(AMQP, "_create_task_sender", _creating(AMQP._create_task_sender))
    _keep_spans_of_unknown_tasks(patches)


def _creating(original: Sender) -> Sender:
    @functools.wraps(original)
    def _create_task_sender(self: Any) -> Sender:
        return _heard(original(self), self.app)

    return _create_task_sender


def _heard(send: Sender, app: Any) -> Sender:
    @functools.wraps(send)
    def send_task_message(producer: Any, name: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        publishing = _begin(app, name, message, kwargs)
        error: BaseException | None = None
        try:
            return send(producer, name, message, *args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if publishing is not None:
                _end(publishing, error)

    return send_task_message


@guarded(LIB)
def _begin(app: Any, name: Any, message: Any, options: Mapping[str, Any]) -> Publishing | None:
    to = tape()
    if to is None and not is_replaying:
        return None
    _come_last()
    defaults = {"serializer": app.conf.task_serializer, "compression": app.conf.task_compression}
    chosen = {each: options.get(each) or defaults.get(each) for each in OPTIONS}
    headers, _, body, *_ = message
    task_id = headers.get("id") if headers else body.get("id")
    return Publishing(app, str(name), str(task_id), chosen, to)


def _come_last() -> None:
    """Behind the receivers of the application, which came with its modules, after us: what they add to a message (a
    tenant, a correlation id) leaves with it."""
    from celery.signals import before_task_publish as signal

    if signal.receivers and signal.receivers[-1][1] is on_before_publish:
        return
    with signal.lock:
        for index, (_, receiver) in enumerate(signal.receivers):
            if receiver is on_before_publish:
                signal.receivers.append(signal.receivers.pop(index))
                signal.sender_receivers_cache.clear()
                return


@guarded(LIB)
def _end(publishing: Publishing, error: BaseException | None) -> None:
    try:
        if error is not None:
            publishing.failed(error)
    finally:
        publishing.ended(error)


@guarded(LIB)
def on_before_publish(
    body: Any = None,
    headers: Any = None,
    properties: Any = None,
    exchange: Any = None,
    routing_key: Any = None,
    **_: object,
) -> None:
    """Comes after OpenTelemetry's receiver, which begins the span, and after those of the application."""
    publishing = _current.get()
    if publishing is not None:
        fields = message_fields(body, headers or {}, properties or {})
        publishing.leaves({**fields, "exchange": _name(exchange), "routing_key": routing_key})
        publishing.goes_out()


@guarded(LIB)
def on_after_publish(**_: object) -> None:
    """Comes before OpenTelemetry's receiver, which ends the span."""
    publishing = _current.get()
    if publishing is not None:
        publishing.is_out()
        publishing.sent()


def _name(exchange: Any) -> Any:
    """An exchange is named, or given as kombu's object."""
    return getattr(exchange, "name", exchange)


# ---- the instrumentor's span -----------------------------------------------------------------------------------------


def _end_span(publishing: Publishing, error: BaseException | None) -> None:
    """Of a message that was refused: nobody else ends it, and all that follows here would become its child."""
    holder, utils = publishing.span_holder, _utils()
    if holder is None or utils is None:
        return
    found = utils.retrieve_context(holder, publishing.task_id, is_publish=True)
    if found is not None:
        utils.detach_context(holder, publishing.task_id, is_publish=True)
        _, activation, _ = found
        activation.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)


def _keep_spans_of_unknown_tasks(patches: Patches) -> None:
    utils = _utils()
    if utils is None:
        return
    original = utils.retrieve_task_from_sender

    @functools.wraps(original)
    def retrieve_task_from_sender(kwargs: Mapping[str, Any]) -> Any:
        publishing = _sends(kwargs)
        if publishing is None:
            return original(kwargs)
        if publishing.span_holder is not None:
            return publishing.span_holder
        task = original(kwargs)
        _hold(publishing, task)
        return publishing.span_holder or task

    patches.put(utils, "retrieve_task_from_sender", retrieve_task_from_sender)


@guarded(LIB)
def _sends(kwargs: Mapping[str, Any]) -> Publishing | None:
    """The message that the signal with these arguments is about."""
    publishing = _current.get()
    return None if publishing is None or kwargs.get("sender") != publishing.name else publishing


@guarded(LIB)
def _hold(publishing: Publishing, task: Any) -> None:
    publishing.span_holder = task or SimpleNamespace(name=publishing.name)


def _utils() -> Any:
    """The instrumentor's module; None where it is not installed or is another release."""
    try:
        utils = import_module(UTILS)
    except ImportError:
        return None
    names = ("retrieve_task_from_sender", "retrieve_context", "detach_context")
    return utils if all(hasattr(utils, name) for name in names) else None
