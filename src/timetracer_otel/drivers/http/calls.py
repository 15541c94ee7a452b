"""One request while it is recorded: what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from timetracer_otel.capture.table import Captured, Tape, tape
from timetracer_otel.config import KIB, Settings
from timetracer_otel.drivers.http.covering import covered
from timetracer_otel.drivers.http.errors import Chain, chain_of
from timetracer_otel.drivers.http.names import LIBRARY
from timetracer_otel.drivers.http.uploads import Upload

Client: TypeAlias = Literal["httpcore", "http.client", "aiohttp"]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

OVERHEAD_BYTES: Final = 600
"""Of a request and its response, beside their bodies, as it is counted."""
CHARGED_BYTES: Final = 256 * KIB
"""So much may have come beyond what the tape has been told of."""
LIMIT: Final = "limit"

payload_max_bytes = Settings().payload_max_bytes


@dataclass(frozen=True, slots=True)
class Origin:
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Head:
    """A request's, where the tap has it before it is bytes."""

    method: bytes
    target: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class AnswerHead:
    version: bytes
    status: int
    reason: bytes | None
    """HTTP/2 has none."""
    headers: Headers


class Call:
    """`parts` are those of the response's body; where no `answer` is, what came over the wire."""

    __slots__ = (
        *("_charged", "_tape", "answer", "captured", "client", "connect", "error", "head", "is_ended", "is_lost"),
        *("is_over", "is_waiting", "origin", "parts", "size", "upload"),
    )

    def __init__(self, client: Client, origin: Origin, active: Tape, head: Head | None = None) -> None:
        self.client, self.origin, self._tape, self.head = client, origin, active, head
        self.upload = Upload(is_wire=head is None)
        self.answer: AnswerHead | None = None
        self.parts: list[bytes] = []
        self.size = self._charged = 0
        self.error: Chain | None = None
        self.connect = False
        """It is a connection that was not made, and no request."""
        self.is_ended = False
        """The server, or the body, came to its end."""
        self.is_over = False
        """Nothing more will come."""
        self.is_waiting = False
        """The client waited for more of the body when it was cancelled."""
        self.is_lost = False
        self.captured: Captured | None = None

    @property
    def is_answered(self) -> bool:
        return self.answer is not None or bool(self.parts) or self.is_over

    @property
    def has_answer(self) -> bool:
        """The server has said something."""
        return self.answer is not None or self.size > 0

    def take(self, data: bytes) -> None:
        """A part of the answer."""
        self.size += len(data)
        captured = self.captured
        if self.is_lost or captured is None:
            return
        self.parts.append(data)
        if self.size > payload_max_bytes or captured.dropped is not None:
            self.is_lost = True
            self.parts.clear()
        elif self.size - self._charged > CHARGED_BYTES and captured.closed_ns:
            self._charged = self.size
            self._tape.grown(captured, self._counted)

    def end(self) -> None:
        """The answer is whole, or its sender gone."""
        if not self.is_over:
            self.is_ended = self.is_over = True
            self.close()

    def stop(self) -> None:
        """The client wants no more of it."""
        if not self.is_over:
            self.is_over = True
            self.close()

    def fail(self, error: BaseException) -> None:
        if not self.is_over:
            self.error, self.is_over = chain_of(error), True
            self.close()

    def close(self) -> None:
        """Tells the tape how it stands."""
        if self.captured is None:
            return
        self._charged = self.size
        self._tape.close(self.captured, self, self._counted, dropped=LIMIT if self.is_lost else None)

    @property
    def _counted(self) -> int:
        """Bytes, as the tape counts them."""
        return OVERHEAD_BYTES + self.size + (self.upload.size if self.upload.pieces else 0)

    def discard(self) -> None:
        """Nothing was sent."""
        if self.captured is not None:
            self.is_over = True
            self._tape.discard(self.captured)


def begin(client: Client, origin: Origin, head: Head | None = None) -> Call | None:
    """A request is about to be sent, in its caller's context; None where it is not to be recorded."""
    active = tape()
    if active is None or covered.get() or not active.listens():
        return None
    call = Call(client, origin, active, head)
    call.captured = active.open(LIBRARY, call)
    return call if call.captured is not None else None
