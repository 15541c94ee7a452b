"""One API call while it is recorded: what was asked, and each of its attempts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from timetracer_otel.capture.table import Captured, Tape
from timetracer_otel.drivers import numbers
from timetracer_otel.drivers.botocore.downloads import Heard
from timetracer_otel.drivers.botocore.names import LIBRARY
from timetracer_otel.drivers.botocore.uploads import Upload

OVERHEAD_BYTES: Final = 500
"""Of an attempt, beside its bodies, as it is counted."""
LIMIT: Final = "limit"
USER: Final = re.compile(r"//[^/?#]*@")
"""Name and password in an address."""


class Client:
    """What a cassette says of one client."""

    __slots__ = ("endpoint", "number", "region", "service", "settings", "tape")

    def __init__(self, client: Any, number: int) -> None:
        self.number = number
        self.service = str(client.meta.service_model.service_name)
        self.region = str(client.meta.region_name or "")
        self.endpoint = USER.sub("//", str(client.meta.endpoint_url))
        self.settings = _settings(client.meta.config)
        self.tape: Tape | None = None
        """The tape that knows of it."""


class Attempt:
    """One HTTP request and its response, or how it failed."""

    __slots__ = ("body", "error", "headers", "is_given_up", "sent", "status", "upload")

    def __init__(self) -> None:
        self.upload: Upload | None = None
        self.sent: Any = None
        """The stream that the library would send, while it sends ours."""
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body: bytes | Heard = b""
        self.error: BaseException | None = None
        self.is_given_up = False
        """The task that waited for the response was cancelled, by a timeout of the application's for instance."""

    @property
    def is_over(self) -> bool:
        return self.status is not None or self.error is not None or self.is_given_up

    @property
    def size(self) -> int:
        """Bytes of what is kept of it."""
        sent = self.upload.size if self.upload is not None and self.upload.is_kept else 0
        return OVERHEAD_BYTES + sent + (self.body.size if isinstance(self.body, Heard) else len(self.body))


class Call:
    """`params` are a snapshot: see `parameters`."""

    __slots__ = ("attempts", "captured", "client", "has_returned", "operation", "params", "tape")

    def __init__(self, client: Client, operation: str, params: Mapping[str, Any], tape: Tape) -> None:
        self.client, self.operation, self.params, self.tape = client, operation, params, tape
        self.attempts: list[Attempt] = []
        self.captured: Captured | None = None
        self.has_returned = False

    def heard(self, heard: Heard) -> None:
        """More of a body was read. Before the call has returned that is part of it."""
        if self.has_returned and self.captured is not None:
            if self.captured.dropped is not None and not heard.is_lost:  # no room was left for it
                heard.lose()
            elif heard.is_ended or heard.broken is not None:
                self.close()
            elif not heard.is_lost:
                self.tape.grown(self.captured, self.size)

    def close(self) -> None:
        """Tells the tape how it stands."""
        if self.captured is None:
            return
        is_lost = any(isinstance(attempt.body, Heard) and attempt.body.is_lost for attempt in self.attempts)
        is_complete = bool(self.attempts) and self.attempts[-1].is_over
        self.tape.close(self.captured, self, self.size, is_complete, LIMIT if is_lost else None)

    @property
    def size(self) -> int:
        """Bytes, as far as they weigh."""
        return sum([each.size for each in self.attempts]) + _weight(self.params)


class Clients:
    """The clients of this process, each with its number; those that are gone are forgotten."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, Client] = WeakKeyDictionary()

    def known(self, client: Any, active: Tape) -> Client:
        """The tape has heard of it then."""
        found = self._known.get(client)
        if found is None:
            found = self._known.setdefault(client, Client(client, next(numbers.connections)))
        if found.tape is not active:
            found.tape = active
            about = {"service": found.service, "region": found.region, **found.settings}
            active.connected(found.number, LIBRARY, found.endpoint, about)
        return found


def _settings(config: Any) -> dict[str, str | int]:
    """How it retries, where that may come from its surroundings: the number of attempts is part of what happened."""
    retries = getattr(config, "retries", None) or {}
    mode, attempts = retries.get("mode"), retries.get("total_max_attempts")
    return {
        **({"retry_mode": str(mode)} if mode else {}),
        **({"max_attempts": int(attempts)} if attempts else {}),
    }


def _weight(value: Any) -> int:
    """Of texts and bytes, wherever they stand."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, list) else 0
