"""What was heard of one task, of one message, of one read of a result: plain copies, since the app's own may change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.config import Settings
from timetracer_otel.drivers.celery.exceptions import HeardException, type_name
from timetracer_otel.drivers.celery.typed import Snapshot, TooLarge, unkept_value

payload_max_bytes = Settings().payload_max_bytes
"""Of one task or message; `record.install` sets it."""
SHAPES_MAX: Final = 64
"""Of requests: the names in most of them are the same."""
NOTES_MAX: Final = 1000
"""Of one kind, of one task."""
OPTIONS: Final = ("serializer", "compression", "delivery_mode")
"""Of a publish, as the broker or the reader of the message notices them."""


class HeardTask:
    """A task as the worker got it: arguments after deserialisation, and all else of `task.request`."""

    __slots__ = (
        *("app", "args", "context", "is_alone", "is_plain", "is_too_large", "join_will_block", "kwargs", "name"),
        "size",
    )

    def __init__(self, app: object, name: str, fields: Mapping[str, Any], join_will_block: bool) -> None:
        """`fields` of the request. Any: they are the application's."""
        self.app, self.name, self.join_will_block = app, name, join_will_block
        self.args: Value = None
        self.kwargs: Value = None
        self.context: Payload = {}
        self.is_too_large = False
        snapshot = Snapshot(payload_max_bytes)
        try:
            self._copy(fields, snapshot)
        except TooLarge:
            self.args, self.kwargs, self.context, self.is_too_large = None, None, {}, True
        self.is_alone, self.is_plain = not snapshot.holds_tasks, snapshot.is_plain
        """No further task stands in it; as in `Snapshot`."""
        self.size = snapshot.size

    def _copy(self, fields: Mapping[str, Any], snapshot: Snapshot) -> None:
        self.args, self.kwargs = snapshot.of(fields.get("args")), snapshot.of(fields.get("kwargs"))
        others = dict(fields)
        for name in _apart(tuple(others)):
            del others[name]
        context = snapshot.fields(others)
        assert isinstance(context, dict)
        self.context = context


@lru_cache(maxsize=SHAPES_MAX)
def _apart(names: tuple[str, ...]) -> Sequence[str]:
    """Those that are no part of the context: Celery's own, and the arguments, which stand beside it."""
    return [name for name in names if name.startswith("_") or name in ("args", "kwargs")]


class HeardNotes:
    """What a task did on its way, by kind and in order: states that it gave itself, chords that it failed."""

    __slots__ = ("_snapshot", "by_kind", "left_out")

    def __init__(self) -> None:
        self.by_kind: dict[str, list[Value]] = {}
        self.left_out = 0
        self._snapshot = Snapshot(payload_max_bytes)

    @property
    def size(self) -> int:
        return self._snapshot.size

    def add(self, kind: str, fields: Mapping[str, object]) -> None:
        notes = self.by_kind.setdefault(kind, [])
        if len(notes) >= NOTES_MAX or self._snapshot.size > payload_max_bytes:
            self.left_out += 1
            return
        try:
            notes.append(self._snapshot.of(dict(fields)))
        except TooLarge:
            self.left_out += 1


NOTHING: Final = HeardNotes()
"""Of most tasks."""


class HeardOutcome:
    """How a task ended. `state` is None where it never did: the process was on its way out. `notes` are None where
    nobody knows what it did until then: its process is gone."""

    __slots__ = ("exception", "is_plain", "notes", "retry", "return_value", "size", "state")

    def __init__(
        self, state: str | None, value: object, traceback: str | None, notes: HeardNotes | None = None
    ) -> None:
        self.state, self.notes = state, notes
        self.is_plain = False
        """As in `Snapshot`; False also where nobody has looked."""
        self.return_value: Value = None
        self.exception: HeardException | None = None
        self.retry: Payload | None = None
        self.size = 0
        if state == "RETRY":
            self._retry(value, traceback)
        elif isinstance(value, BaseException) and state != "SUCCESS":
            self.exception = HeardException(value, traceback)
        else:
            self._return(value)
        self.size += notes.size if notes is not None else 0

    def _retry(self, value: Any, traceback: str | None) -> None:
        """Any: celery.exceptions.Retry."""
        self.retry = {"when": Snapshot(payload_max_bytes).of(value.when), "reason": str(value)}
        if value.exc is not None:
            self.exception = HeardException(value.exc, traceback)

    def _return(self, value: object) -> None:
        snapshot = Snapshot(payload_max_bytes)
        try:
            self.return_value = snapshot.of(value)
        except TooLarge:
            self.return_value = unkept_value(type(value))
        self.size, self.is_plain = snapshot.size, snapshot.is_plain and self.notes is NOTHING


class HeardPublish:
    """A message as it leaves: what the producer passed, before it is serialised."""

    __slots__ = ("app", "fields", "name", "published_ns", "size")

    def __init__(self, app: object, name: str, fields: Mapping[str, object], published_ns: int) -> None:
        """Raises TooLarge."""
        snapshot = Snapshot(payload_max_bytes)
        self.app, self.name, self.published_ns = app, name, published_ns
        self.fields: Payload = {key: snapshot.of(each) for key, each in fields.items()}
        self.size = snapshot.size


def message_fields(body: Any, headers: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Of both protocols of Celery: version 2 has its fields in the headers, version 1 all in the body."""
    if isinstance(body, dict):
        fields = {name: each for name, each in body.items() if name not in ("args", "kwargs")}
        args, kwargs, embed, headers = body.get("args"), body.get("kwargs"), {}, {**fields, **headers}
    else:
        args, kwargs, embed = body
    return {"args": args, "kwargs": kwargs, "embed": embed, "headers": dict(headers), "properties": dict(properties)}


class HeardRead:
    """A read of a result: `get`, `state` or `group`."""

    __slots__ = ("method", "task_id")

    def __init__(self, method: str, task_id: str) -> None:
        self.method, self.task_id = method, task_id


class HeardAnswer:
    """What was read: the meta of a task, the members of a group, or why there is nothing."""

    __slots__ = ("failure", "fields", "is_local", "size")

    def __init__(self, answer: Any, error: BaseException | None) -> None:
        """Raises TooLarge."""
        from celery.exceptions import TimeoutError as TimedOut

        snapshot = Snapshot(payload_max_bytes)
        self.failure: HeardException | None = None
        self.fields: Payload = {}
        if isinstance(answer, Mapping):  # `.get()` raises what the task raised
            self.fields = _meta(answer, snapshot)
        elif answer is not None:
            self.fields = {"group": snapshot.of(answer.as_tuple())}
        elif isinstance(error, TimedOut):
            self.fields = {"timed_out": True}
        elif error is not None:
            self.failure = HeardException(error)
        # Celery refused to ask: within a task, or without a backend.
        self.is_local = isinstance(error, (RuntimeError, NotImplementedError)) and self.failure is not None
        self.size = snapshot.size


def _meta(answer: Mapping[str, Any], snapshot: Snapshot) -> Payload:
    result = answer.get("result")
    plain = {name: value for name, value in answer.items() if name not in ("result", "children")}
    fields: dict[str, Value] = {}
    if isinstance(result, BaseException):
        fields["exception"] = {"type": type_name(type(result)), "arguments": snapshot.of(list(result.args))}
    else:
        plain["result"] = result
    if "children" in answer:
        plain["children"] = [_as_tuple(child) for child in answer["children"] or ()]
    return {"meta": snapshot.of(plain), **fields}


def _as_tuple(child: Any) -> Any:
    """Celery makes results of the children of a task that has ended and was asked for by itself; else they stay as the
    backend has them."""
    return child.as_tuple() if hasattr(child, "as_tuple") else child
