"""An answer in which ids were renamed, as the service would have sent it: its checksums are those of the new body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from timetracer_otel.cassette.model import Payload
from timetracer_otel.drivers.botocore import checksums
from timetracer_otel.wire.aws import event_stream


def mended(recorded: Payload, renamed: Payload) -> Payload:
    """The renamed result; an event stream, each frame of which has a checksum, stays as it was."""
    attempts = (cast("Sequence[Payload]", each.get("attempts", ())) for each in (recorded, renamed))
    try:
        return {**renamed, "attempts": [_attempt(*each) for each in zip(*attempts, strict=True)]}
    except (AttributeError, LookupError, TypeError, ValueError):  # no shape of an answer: told where it is read
        return renamed


def _attempt(recorded: Payload, renamed: Payload) -> Payload:
    old, new = recorded.get("body"), renamed.get("body")
    if not isinstance(old, bytes) or not isinstance(new, bytes):
        return renamed
    if event_stream.is_one(old):
        return recorded
    headers = cast("Sequence[Sequence[str]]", renamed["headers"])
    return {**renamed, "headers": [list(pair) for pair in checksums.mended(((n, v) for n, v in headers), old, new)]}
