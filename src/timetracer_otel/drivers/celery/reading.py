"""What the replay's result backend answers: recorded reads, by task id and in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from celery.exceptions import BackendError, TimeoutError
from celery.result import result_from_tuple

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question, ReplayHost
from timetracer_otel.drivers.celery import chords, past
from timetracer_otel.drivers.celery.names import LIB, PUBLISH, RESULT
from timetracer_otel.drivers.celery.questions import question, read_question
from timetracer_otel.drivers.celery.typed import restore

TIMED_OUT: Final = "The operation timed out."


class UnrecordedResult(BackendError):  # type: ignore[misc]  # Celery has no types
    """A read without a recorded counterpart."""


class Reader:
    def __init__(self, host: ReplayHost) -> None:
        self._host = host

    def state(self, backend: Any, task_id: str) -> dict[str, Any]:
        """The meta of a task as it was read then. Raises UnrecordedResult."""
        return _meta(backend, self._take("state", task_id))

    def get(self, backend: Any, task_id: str) -> dict[str, Any]:
        """That of a finished task. Raises TimeoutError where the recorded read timed out, UnrecordedResult."""
        found = self._take("get", task_id)
        if found.result.get("timed_out"):
            raise TimeoutError(TIMED_OUT)
        return _meta(backend, found)

    def iterate(self, backend: Any, results: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        """Of each task of a group, in the order in which they came then. Raises as `get` does."""
        came = [each.request.get("task_id") for each in self._host.current()[0].known(LIB, (RESULT, "get"))]
        order = {task_id: place for place, task_id in reversed(list(enumerate(came)))}
        for result in sorted(results, key=lambda each: order.get(each.id, len(came))):
            if hasattr(result, "results"):  # a group in the group
                yield result.id, result.results
            else:
                meta = self.get(backend, result.id)
                result._maybe_set_cache(meta)
                yield result.id, meta

    def group(self, backend: Any, group_id: str) -> Any:
        """What the backend knew of a saved group."""
        found = self._take("group", group_id).result.get("group")
        return {"result": result_from_tuple(restore(found), backend.app)} if found else None

    def _take(self, method: str, task_id: str) -> Exchange:
        source, asked = self._host.current()
        wanted = read_question(method, task_id)
        found = source.take(wanted, asked)
        if found is None:
            raise UnrecordedResult(source.miss(wanted, asked))
        if isinstance(failure := found.result.get("failure"), Mapping):
            source.undecided(f"the result backend had failed with {failure.get('type')}")
            raise UnrecordedResult(str(failure.get("message", "")))
        return found

    def unrecorded(self, name: str) -> UnrecordedResult:
        """The application goes to the backend's server by itself."""
        source, asked = self._host.current()
        wanted = Question(LIB, name, "backend", (RESULT, "backend", name), f"app.backend.{name}")
        return UnrecordedResult(source.miss(wanted, asked, "what goes to the backend past its results is not recorded"))

    def stored_past(self, state: str) -> None:
        source, asked = self._host.current()
        source.uncontrolled(past.told(state, asked.frame))

    def completed_chord(self, chord: Any) -> Sequence[Any] | None:
        """The arguments with which the recorded task sent the body of its chord; None if another task did."""
        found: Sequence[Any] | None = None
        for first in chords.first_of(chord):
            message = self._sent(first)
            if message is not None and (found is None or not first.get("immutable")):
                arguments: Sequence[Any] = restore(message.request.get("args"))
                found = arguments[:1]
        return found

    def _sent(self, signature: Any) -> Exchange | None:
        shape = question(PUBLISH, "publish", str(signature.get("task")), {}).shape
        for exchange in self._host.current()[0].known(LIB, shape):
            headers = exchange.request.get("headers")
            if isinstance(headers, Mapping) and headers.get("id") == signature["options"].get("task_id"):
                return exchange
        return None


def _meta(backend: Any, exchange: Exchange) -> dict[str, Any]:
    meta: dict[str, Any] = restore(exchange.result.get("meta"))
    exception = exchange.result.get("exception")
    if isinstance(exception, Mapping):
        meta["result"] = exception_of(backend, exception.get("type"), restore(exception.get("arguments")))
    return meta


def exception_of(backend: Any, kind: Any, arguments: Any) -> Any:
    """As every backend makes one, from its name and arguments."""
    module, _, name = str(kind).rpartition(".")
    return backend.exception_to_python({"exc_type": name, "exc_module": module, "exc_message": arguments})
