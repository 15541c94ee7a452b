"""Parts of a recording application -> OTLP, as they are finished. Implements `exporters.outlets.Outlet`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.cassette import EnvironmentPart, Exchange, Part, Payload, load_environment, load_part
from timetracer_otel.config import MIB
from timetracer_otel.drivers import registry
from timetracer_otel.errors import DamagedCassette, Unconvertible
from timetracer_otel.exporters.otlp.encoding import Place, Scoped, encode_environment, encode_part
from timetracer_otel.exporters.otlp.endpoint import Endpoint
from timetracer_otel.exporters.otlp.names import INLINE_MAX_BYTES
from timetracer_otel.exporters.otlp.sender import Sender

ENVIRONMENT_MAX_BYTES: Final = MIB
"""Of what goes with each trace. A larger environment is left out, and its part says so."""
HELD_MAX_BYTES: Final = 64 * MIB
ENVIRONMENT: Final = "environment"
_WHERE: Final = "a recorded part"


class LiveOutlet:
    """One per process. The writer calls it, from one thread at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._sender = Sender(endpoint)
        self._environments: list[EnvironmentPart] = []
        self._environment_bytes = 0
        self._resource: Payload = {}
        self.after_fork()

    def after_fork(self) -> None:
        """What the parent learnt goes with the child's traces too."""
        self._sender.after_fork()
        self._held: dict[tuple[str, str], list[list[Scoped]]] = {}
        self._held_bytes = 0

    def part(self, part: Part, pieces: Sequence[bytes], start_ns: int, is_held: bool) -> None:
        """Raises CassetteError, Unconvertible."""
        text = b"".join(pieces)
        whole = load_part(text, _WHERE)
        self._resource = whole.resource or self._resource
        readable = replace(whole, exchanges=tuple(map(_readable, whole.exchanges)))
        spans = encode_part(readable, Place(start_ns, self._resource))
        if part.part == 0:
            spans += self._environment_spans(whole)
        if is_held:
            self._hold((part.trace_id, part.segment), spans, len(text))
        else:
            self._sender.put(spans)

    def environment(self, text: bytes) -> None:
        """Raises CassetteError."""
        part = load_environment(text, _WHERE)
        self._environment_bytes += len(text)
        if self._environment_bytes > ENVIRONMENT_MAX_BYTES:
            part = replace(part, exchanges=(), dropped={**part.dropped, ENVIRONMENT: len(part.exchanges)})
        self._environments.append(replace(part, exchanges=tuple(map(_readable, part.exchanges))))

    def _environment_spans(self, part: Part) -> list[Scoped]:
        return [
            span
            for each in self._environments
            for span in encode_environment(each, part.trace_id, part.segment, self._resource)
        ]

    def _hold(self, key: tuple[str, str], spans: list[Scoped], size: int) -> None:
        if self._held_bytes + size <= HELD_MAX_BYTES:
            self._held_bytes += size
            self._held.setdefault(key, []).append(spans)

    def settle(self, trace_id: str, segment: str, is_kept: bool) -> None:
        held = self._held.pop((trace_id, segment), [])
        if not self._held:
            self._held_bytes = 0
        for spans in held if is_kept else ():
            self._sender.put(spans)

    def flush(self, timeout_s: float) -> bool:
        return self._sender.flush(timeout_s)


def _readable(exchange: Exchange) -> Exchange:
    return _converted(exchange) or exchange


@guarded("readable")
def _converted(exchange: Exchange) -> Exchange | None:
    """In the form that people read, if it is short enough for that; None where it stays as it is."""
    if exchange.signature.lib not in registry.DRIVERS or _size(exchange.result) > INLINE_MAX_BYTES:
        return None
    try:
        return registry.describing(exchange.signature.lib).readable(exchange)
    except (Unconvertible, DamagedCassette):
        return None


def _size(value: object) -> int:
    """Roughly the bytes of it."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, (list, tuple)) else 8
