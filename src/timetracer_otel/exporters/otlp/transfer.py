"""HTTP, bounded: what is sent waits for nobody for ever, and what comes back fits into memory.

By the standard library: a recording application imports nothing for it that it may not have, and that others patch. It
knows proxies by the usual variables.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from timetracer_otel.config import MIB
from timetracer_otel.errors import BackendError, UsageError

ANSWER_MAX_BYTES: Final = 512 * MIB
ERROR_MAX_CHARS: Final = 200
TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 600.0
"""Until the whole of an answer has come; `TIMEOUT_S` is until something of it has."""
RETRIED: Final = frozenset({429, 502, 503, 504})
"""Source: OTLP specification 1.9, "Retryable Response Codes"."""
DELAYS_S: Final = (0.5, 1.0, 2.0)
RETRY_AFTER_MAX_S: Final = 30.0
_GZIP_LEVEL: Final = 1
_CHUNK: Final = MIB
_ERRNO: Final = re.compile(r"^\[Errno -?\d+\] ")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    retry_after: str = ""

    @property
    def message(self) -> str:
        """What the server says is wrong, in one line."""
        words = " ".join(self._text().split())
        return f"{words[:ERROR_MAX_CHARS]}..." if len(words) > ERROR_MAX_CHARS else words

    def _text(self) -> str:
        if self.is_page:
            return "a web page"
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")
        return _message_in(document) or self.body.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        return "html" in self.content_type or self.body[:100].lstrip().lower().startswith((b"<!doctype", b"<html"))


def _message_in(document: Any) -> str:
    """Jaeger puts it into `error.message` or `errors[].msg`, OTLP into `message`."""
    if not isinstance(document, dict):
        return ""
    error, errors = document.get("error"), document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    found = [owner.get(name) for owner in (error, first, document) if isinstance(owner, dict) for name in _MESSAGES]
    return next((text for text in found if isinstance(text, str) and text), "")


_MESSAGES: Final = ("message", "msg")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that became a GET would lose what was sent, and headers may hold what is for this server alone."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer is the redirect."""


class Client:
    """Threads may share it; each request opens a connection."""

    def __init__(self, connection: Connection) -> None:
        context = ssl.create_default_context(cafile=connection.certificates)
        self._opener = urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=context))
        self._headers, self._timeout_s = dict(connection.headers), connection.timeout_s

    def get(self, url: str, parameters: Mapping[str, str]) -> Answer:
        """Raises BackendError if there is no answer."""
        return self._exchange(urllib.request.Request(f"{url}?{urlencode(parameters)}", headers=self._headers), url)

    def post(self, url: str, body: bytes, content_type: str, is_packed: bool = True) -> Answer:
        """Raises BackendError if there is no answer."""
        headers = {**self._headers, "content-type": content_type}
        if is_packed:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        return self._exchange(urllib.request.Request(url, body, headers, method="POST"), url)

    def _exchange(self, request: urllib.request.Request, url: str) -> Answer:
        try:
            with self._answer(request) as answer:
                found = answer.headers
                body = _body(answer, url)
                return Answer(answer.status, found.get("content-type", ""), body, found.get("retry-after", ""))
        except (OSError, http.client.HTTPException, ValueError) as error:  # URLError is an OSError
            raise BackendError(url, _reason(error), "is it running, and is the address right?") from None

    def _answer(self, request: urllib.request.Request) -> Any:  # Any: HTTPError is an answer too
        try:
            return self._opener.open(request, timeout=self._timeout_s)
        except urllib.error.HTTPError as error:
            return error


@dataclass(frozen=True, slots=True)
class Connection:
    """How a server is spoken to."""

    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = TIMEOUT_S
    certificates: str | None = None
    """A file with those to trust; None for the system's."""

    def client(self) -> Client:
        """Raises UsageError if the certificates cannot be read."""
        try:
            return Client(self)
        except OSError as error:
            problem = f"{self.certificates}: no certificates ({error.strerror or error})"
            raise UsageError("OTEL_EXPORTER_OTLP_CERTIFICATE", problem, "correct or unset it") from None


def checked_url(text: str, source: str) -> str:
    """The URL without a slash at its end and without what is not sent. Raises UsageError."""
    try:
        parts = urlsplit(text.strip())
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not text.strip().isprintable():
        raise UsageError(source, f"{text[:80]!r} is no URL", "write one such as http://127.0.0.1:4318")
    if "@" in parts.netloc:
        raise UsageError(source, "it holds a password", "set OTEL_EXPORTER_OTLP_HEADERS=authorization=Basic%20...")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def patiently(call: Callable[[], Answer], sleep: Callable[[float], None] = time.sleep) -> Answer:
    """The answer; a server that is busy or away is asked again, up to four times. Raises BackendError."""
    for delay_s in DELAYS_S:
        try:
            answer = call()
        except BackendError:
            sleep(delay_s)
            continue
        if answer.status not in RETRIED:
            return answer
        sleep(_asked_for_s(answer) or delay_s)
    return call()


def _asked_for_s(answer: Answer) -> float:
    """What Retry-After says, in seconds; 0 where it says nothing, or a date."""
    text = answer.retry_after.strip()
    return min(float(text), RETRY_AFTER_MAX_S) if text.isascii() and text.isdigit() else 0.0


def _body(answer: Any, url: str) -> bytes:
    body, deadline = bytearray(), time.monotonic() + ANSWER_TIMEOUT_S
    while chunk := answer.read1(_CHUNK) if hasattr(answer, "read1") else answer.read(_CHUNK):
        body += chunk
        if len(body) > ANSWER_MAX_BYTES:
            raise BackendError(url, f"the answer is over {ANSWER_MAX_BYTES // MIB} MiB", "no cassette is so large")
        if time.monotonic() > deadline:
            raise BackendError(url, f"the answer did not end within {ANSWER_TIMEOUT_S:.0f} s", "ask again later")
    return bytes(body)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) and error.reason else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    return _ERRNO.sub("", " ".join(str(cause).split())) or type(cause).__name__
