"""What was heard of tasks, messages and results -> exchanges of the cassette."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Payload, Value
from timetracer_otel.drivers.celery import app_name, parameters
from timetracer_otel.drivers.celery.exceptions import HeardException
from timetracer_otel.drivers.celery.heard import (
    HeardAnswer,
    HeardNotes,
    HeardOutcome,
    HeardPublish,
    HeardRead,
    HeardTask,
)
from timetracer_otel.drivers.celery.names import LEFT_OUT, LIB, PUBLISH, RESULT, RUN, STATES
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.redaction import Redactor
from timetracer_otel.redaction.told import told

SPELLED: Final = ("argsrepr", "kwargsrepr")
"""Celery's own spelling of the arguments, for logs: it would tell what was masked in them."""


class CeleryCodec:
    """Implements `drivers.base.Codec`."""

    def encode(self, captured: Captured) -> Encoded:
        heard = captured.request
        if isinstance(heard, HeardTask):
            return _task(heard, captured.result)
        if isinstance(heard, HeardPublish):
            return encode_publish(heard, captured.result)
        if isinstance(heard, HeardRead):
            return _read(heard, captured.result)
        raise TypeError(f"nothing of Celery: {type(heard).__name__}")

    def redact(self, encoded: Encoded, redactor: Redactor) -> tuple[Encoded, tuple[str, ...]]:
        by_position, positions = parameters.mask(encoded.request, "request", redactor)
        # Short secrets that are known may be told in a message, where nothing else looks for them.
        if by_position is encoded.request and not redactor.known() and redactor.is_clean((by_position, encoded.result)):
            return encoded, ()
        request, asked = redactor.value(by_position, "request")
        asked = (*positions, *asked)
        result, answered = redactor.value(encoded.result, "result")
        assert isinstance(request, dict)
        assert isinstance(result, dict)
        result, told_paths = _without_told(result, encoded.result, redactor)
        answered = (*answered, *(path for path in told_paths if path not in answered))
        if not asked and not answered:
            return encoded, ()
        request, spelled = _without_spelling(request, asked, redactor)
        return replace(encoded, request=request, result=result), (*asked, *spelled, *answered)


def _task(heard: HeardTask, outcome: object) -> Encoded:
    request: dict[str, Value] = {
        "task": heard.name,
        "app": app_name.name_of(heard.app),
        "args": heard.args,
        "kwargs": heard.kwargs,
        "context": heard.context,
        "join_will_block": heard.join_will_block,
    }
    named = (parameters.named_alone if heard.is_alone else parameters.named)(request, heard.app)
    result = _outcome(outcome) if isinstance(outcome, HeardOutcome) else {}
    is_plain = heard.is_plain and heard.is_alone and "$" not in heard.name
    is_plain = is_plain and isinstance(outcome, HeardOutcome) and outcome.is_plain
    return Encoded(RUN, LIB, "run", heard.name, named, result, is_plain=is_plain)


def _outcome(heard: HeardOutcome) -> Payload:
    encoded: dict[str, Value] = {"state": heard.state}
    if heard.state == "SUCCESS":
        encoded["return_value"] = heard.return_value
    if heard.exception is not None:
        encoded["exception"] = heard.exception.encode()
    if heard.retry is not None:
        encoded["retry"] = heard.retry
    if heard.state is not None and heard.notes is not None:
        encoded.update(_notes(heard.notes))
    return encoded


def _notes(notes: HeardNotes) -> Payload:
    """`states` is there also where there were none: that is compared, and older recordings do not tell."""
    left_out: dict[str, Value] = {LEFT_OUT: notes.left_out} if notes.left_out else {}
    return {STATES: [], **notes.by_kind, **left_out}


def encode_publish(heard: HeardPublish, error: object = None) -> Encoded:
    request: dict[str, Value] = {"task": heard.name, "published_ns": heard.published_ns, **heard.fields}
    result: Payload = {"exception": error.encode()} if isinstance(error, HeardException) else {"sent": True}
    return Encoded(PUBLISH, LIB, "publish", heard.name, parameters.named(request, heard.app), result)


def _read(heard: HeardRead, answer: object) -> Encoded:
    result: Payload = {}
    if isinstance(answer, HeardAnswer):
        result = answer.fields if answer.failure is None else {"failure": answer.failure.encode()}
    return Encoded(RESULT, LIB, heard.method, "", {"task_id": heard.task_id}, result)


def _without_told(
    result: dict[str, Value], plain: Payload, redactor: Redactor
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Where the whole message of an exception is a secret, it goes from all its texts, and where it did from which."""
    exception, before = result.get("exception"), plain.get("exception")
    if not redactor.known() or not isinstance(exception, dict) or not isinstance(before, dict):
        return result, ()
    found = [told(message, redactor.known()) for message in _messages(before)]
    pairs = [pair for pair in found if pair is not None]
    if not pairs:
        return result, ()
    cleaned = _replaced(exception, pairs)
    paths = tuple(f"result.exception.{name}" for name in cleaned if cleaned[name] != before.get(name))
    return {**result, "exception": cleaned}, paths


def _messages(exception: Mapping[str, Value]) -> list[str]:
    causes = exception.get("causes")
    within = [exception, *(each for each in (causes if isinstance(causes, list) else ()) if isinstance(each, dict))]
    return [message for each in within if isinstance(message := each.get("message"), str)]


def _replaced(exception: Mapping[str, Value], pairs: Sequence[tuple[str, str]]) -> dict[str, Value]:
    causes = exception.get("causes")
    cleaned = {name: _without(exception[name], pairs) for name in ("message", "traceback") if name in exception}
    if isinstance(causes, list):
        cleaned["causes"] = [
            {**each, "message": _without(each.get("message"), pairs)} if isinstance(each, dict) else each
            for each in causes
        ]
    return {**exception, **cleaned}


def _without(text: Value, pairs: Sequence[tuple[str, str]]) -> Value:
    for secret, marker in pairs:
        text = text.replace(secret, marker) if isinstance(text, str) else text
    return text


def _without_spelling(
    request: dict[str, Value], masked: tuple[str, ...], redactor: Redactor
) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Where arguments were masked, their spelling goes as a whole."""
    if not any(path.startswith(("request.args", "request.kwargs", "request.embed")) for path in masked):
        return request, ()
    paths: list[str] = []
    for place in ("context", "headers"):
        fields = request.get(place)
        if isinstance(fields, dict) and (found := [name for name in SPELLED if fields.get(name)]):
            spelled = {name: redactor.marker("arguments", str(fields[name])) for name in found}
            request = {**request, place: {**fields, **spelled}}
            paths += [f"request.{place}.{name}" for name in found]
    return request, tuple(paths)


CODEC: Final = CeleryCodec()
