"""What the taps do, each behind the guard."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from typing import Any, TypeAlias

from timetracer_otel.capture.guard import guarded
from timetracer_otel.capture.table import tape
from timetracer_otel.config import Settings
from timetracer_otel.drivers.botocore.calls import Attempt, Call, Clients
from timetracer_otel.drivers.botocore.downloads import Heard
from timetracer_otel.drivers.botocore.following import housekeeping
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.parameters import snapshot
from timetracer_otel.drivers.botocore.uploads import TappedBody, upload_of

Tap: TypeAlias = Callable[[Any, Heard], None]

clients = Clients()
payload_max_bytes = Settings().payload_max_bytes


@guarded(LIBRARY)
def begin(client: Any, model: Any, params: Any) -> Call | None:
    """A call is about to be made, in its caller's context."""
    active = tape()
    if active is None or housekeeping.get() or not active.listens():
        return None
    known = clients.known(client, active)
    call = Call(known, str(model.name), snapshot(params), active)
    call.captured = active.open(LIBRARY, call, known.number)
    return call if call.captured is not None else None


@guarded(LIBRARY)
def end(call: Call | None) -> None:
    """It has returned or raised. What is left of a body may still be read."""
    if call is None or call.captured is None:
        return
    call.has_returned = True
    if call.attempts:
        call.close()
    else:  # an event handler of the application's answered, or signing failed: nothing was sent
        call.tape.discard(call.captured)


@guarded(LIBRARY)
def sending(call: Call | None, request: Any) -> Attempt | None:
    """One attempt leaves."""
    if call is None:
        return None
    attempt = Attempt()
    call.attempts.append(attempt)
    if hasattr(request.body, "read"):
        attempt.sent = request.body
        attempt.upload = upload_of(request)
        request.body = TappedBody(request.body, attempt.upload)
    return attempt


@guarded(LIBRARY)
def sent(request: Any, attempt: Attempt | None) -> None:
    """Nothing more of it is sent: the library has its own stream back."""
    if attempt is not None and attempt.sent is not None:
        request.body, attempt.sent = attempt.sent, None


@guarded(LIBRARY)
def failed(attempt: Attempt | None, error: BaseException) -> None:
    """There was no response. An end from outside, such as a cancelled task, is none of the service's."""
    if attempt is None:
        return
    if isinstance(error, Exception):
        attempt.error = error
    attempt.is_given_up = isinstance(error, CancelledError)


@guarded(LIBRARY)
def answered(call: Call | None, attempt: Attempt | None, request: Any, response: Any, tap: Tap) -> None:
    """The response is there, with its body unless that is a stream."""
    if call is None or attempt is None:
        return
    attempt.headers = _pairs(response.headers)
    if request.stream_output:
        heard = Heard(_length(response), payload_max_bytes, call.heard)
        attempt.body = heard
        tap(response.raw, heard)
    else:
        attempt.body = _content(response)
    attempt.status = int(response.status_code)


def _content(response: Any) -> bytes:
    """By the private name, since an asynchronous response gives it to nobody who does not wait. A stand-in for the HTTP
    session may answer with a class of its own, which has the public one."""
    held: Any = getattr(response, "_content", response)
    if held is None:
        return b""
    content: bytes = held if isinstance(held, bytes) else response.content
    return content


def _pairs(headers: Any) -> list[tuple[str, str]]:
    """Of botocore's own mapping without its `items`, which makes a key anew for each value."""
    held = getattr(headers, "_dict", None)
    return [(str(name), _text(value)) for name, value in (held if isinstance(held, dict) else headers).items()]


def _length(response: Any) -> int | None:
    value = _text(response.headers.get("content-length", ""))
    return int(value) if value.isdigit() else None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
