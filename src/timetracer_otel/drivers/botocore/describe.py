"""What a call says to people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from timetracer_otel.cassette.escaping import words
from timetracer_otel.cassette.model import Blob, Exchange, Value
from timetracer_otel.drivers.base import Description
from timetracer_otel.drivers.botocore.names import CALL, GIVEN_UP

_CODE: Final = re.compile(rb"<Code>([^<]{1,200})</Code>")
_FIELDS: Final = ("__type", "code", "Code")
BODY_MAX: Final = 100_000


class BotocoreDescribing:
    """Its exchanges are readable as they are."""

    def describe(self, exchange: Exchange) -> Description | None:
        if exchange.type != CALL:
            return None
        request = exchange.request
        return Description(
            text=f"{words(request.get('service', ''))}.{words(request.get('operation', ''))}",
            values=tuple(_parameters(request.get("params"))),
            outcome=_outcome(exchange),
        )

    def readable(self, exchange: Exchange) -> Exchange:
        return exchange


DESCRIBING: Final = BotocoreDescribing()


def _parameters(params: Value) -> Iterator[Value]:
    """Each with its name."""
    if isinstance(params, Mapping):
        yield from ({name: _summary(value)} for name, value in params.items())


def _summary(value: Value) -> Value:
    length = _length(value)
    return value if length is None or length <= 40 else f"{length} bytes"


def _outcome(exchange: Exchange) -> str:
    attempts = exchange.result.get("attempts")
    found = [each for each in attempts if isinstance(each, Mapping)] if isinstance(attempts, (list, tuple)) else []
    if not found:
        return ""
    last, retries = found[-1], len(found) - 1
    told = [_told(last)]
    if retries:
        told.append(f"after {retries} {'retry' if retries == 1 else 'retries'}")
    if last.get("unread"):
        told.append(f"read {_size(last)} bytes, the rest unread")
    return ", ".join(filter(None, told))


def _told(attempt: Mapping[str, Value]) -> str:
    error = attempt.get("error")
    if isinstance(error, Mapping):
        return f"{words(error.get('type'))}: {words(error.get('message'))}"
    status = attempt.get("status")
    if not isinstance(status, int):
        return "cancelled before an answer came" if attempt.get(GIVEN_UP) else ""
    code = _code(attempt) if status >= 300 else ""
    return f"{status} {code}".strip()


def _code(attempt: Mapping[str, Value]) -> str:
    """The service's own word for what went wrong."""
    body = attempt.get("body")
    if not isinstance(body, bytes) or len(body) > BODY_MAX:
        return ""
    if (found := _CODE.search(body)) is not None:
        return found[1].decode("utf-8", "replace")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    named = (document.get(name) for name in _FIELDS) if isinstance(document, dict) else ()
    return next((name.rpartition("#")[2] for name in named if isinstance(name, str)), "")


def _size(attempt: Mapping[str, Value]) -> int:
    return _length(attempt.get("body")) or 0


def _length(body: Value) -> int | None:
    """Bytes of a body, be it here or beside the part; None of anything else."""
    if isinstance(body, Blob):
        return body.size
    return len(body) if isinstance(body, bytes) else None
