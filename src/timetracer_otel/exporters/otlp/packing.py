"""Spans -> OTLP requests, each below what every receiver takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from timetracer_otel.exporters.otlp.encoding import Scoped, grouped
from timetracer_otel.exporters.otlp.names import REQUEST_MAX_BYTES

_AROUND_BYTES: Final = 64
"""Of one span in its scope and resource, generously."""


@dataclass(frozen=True, slots=True)
class Package:
    """The spans of one request."""

    spans: tuple[Scoped, ...]

    def message(self) -> TracesData:
        """It is what an ExportTraceServiceRequest is on the wire."""
        return TracesData(resource_spans=grouped(self.spans))

    @property
    def largest(self) -> Scoped:
        return max(self.spans, key=lambda one: one.span.ByteSize())


def packages(spans: Sequence[Scoped], max_bytes: int = REQUEST_MAX_BYTES) -> Iterator[Package]:
    """In order. A span that is larger by itself goes alone."""
    taken: list[Scoped] = []
    size = 0
    for one in spans:
        needed = one.span.ByteSize() + _AROUND_BYTES
        if not taken or one.resource is not taken[-1].resource or one.scope != taken[-1].scope:
            needed += sum(group.ByteSize() for group in grouped([one]))
        if taken and size + needed > max_bytes:
            yield Package(tuple(taken))
            taken, size = [], 0
        taken.append(one)
        size += needed
    if taken:
        yield Package(tuple(taken))


def halves(package: Package) -> list[Package]:
    """The same in two requests."""
    middle = len(package.spans) // 2
    return [Package(package.spans[:middle]), Package(package.spans[middle:])]
