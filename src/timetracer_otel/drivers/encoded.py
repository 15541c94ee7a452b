"""What a codec makes of what a tap has kept. In a module of its own: an application that starts needs nothing else of
`base`."""

from __future__ import annotations

from dataclasses import dataclass

from timetracer_otel.cassette.model import Payload


@dataclass(frozen=True, slots=True)
class Encoded:
    """The driver's part of an exchange; `exporters` adds id, owner and times."""

    type: str
    lib: str
    method: str
    url: str
    request: Payload
    result: Payload
    target: str | None = None
    is_plain: bool = False
    """The driver named every key itself, and no leaf is a float: such a payload is written without a look at it."""
    has_binary: bool = False
    """It may hold so much binary data in one piece that this belongs beside the part (`cassette.blobs.beside`)."""
