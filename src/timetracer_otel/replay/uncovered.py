"""Calls of libraries that no driver of ours records, told from the spans of their instrumentors (R51). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from timetracer_otel.cassette.model import Segment, Span
from timetracer_otel.drivers import registry

CALLS: Final = frozenset({"CLIENT", "PRODUCER"})
INSTRUMENTATION: Final = "opentelemetry.instrumentation."
BESIDE: Final = frozenset({"sqlalchemy", "threading", "asyncio"})
"""Instrumentors whose spans stand around the calls of other drivers."""
TARGETS: Final = ("url.full", "http.url", "server.address", "net.peer.name", "rpc.service", "db.name", "db.system")
"""Attributes that name the target, the plainest first."""


@dataclass(frozen=True, slots=True)
class Uncovered:
    """`count` calls that were recorded as spans alone."""

    library: str
    name: str
    target: str
    count: int


def uncovered(segment: Segment) -> list[Uncovered]:
    """In the order in which they were made first. A replay refuses them."""
    found = Counter((_library(span), span.name, _target(span)) for span in _without_exchange(segment))
    return [Uncovered(*call, count) for call, count in found.items()]


def in_words(call: Uncovered) -> str:
    """`httpx: GET https://example.com/, twice`"""
    times = "" if call.count == 1 else f", {call.count} times"
    return f"{call.library}: {call.name} {call.target}".rstrip() + times


def _without_exchange(segment: Segment) -> Iterator[Span]:
    """Calls under which nothing was recorded; of nested ones the outermost, which people have made."""
    parents = {span.span_id: span.parent_id for span in segment.spans}
    around = {each for exchange in segment.exchanges for each in _upwards(exchange.span_id, parents)}
    calls = {span.span_id for span in segment.spans if span.kind in CALLS and span.span_id not in around}
    for span in segment.spans:
        if span.span_id in calls and calls.isdisjoint(_upwards(span.parent_id, parents)) and not _is_covered(span):
            yield span


def _upwards(span_id: str | None, parents: dict[str, str | None]) -> Collection[str]:
    found: dict[str, None] = {}
    while span_id is not None and span_id not in found:
        found[span_id] = None
        span_id = parents.get(span_id)
    return found


def _is_covered(span: Span) -> bool:
    """A driver of ours records what this instrumentor traces: the span is of a connect, or of a call that failed."""
    library = _library(span).replace("_", "")
    return library in BESIDE or library in _COVERED or library.removesuffix("client") in _COVERED


def _library(span: Span) -> str:
    return span.scope.removeprefix(INSTRUMENTATION).partition(".")[0] or "(no instrumentor)"


def _target(span: Span) -> str:
    found = next((span.attributes[name] for name in TARGETS if span.attributes.get(name)), "")
    port = span.attributes.get("server.port", span.attributes.get("net.peer.port"))
    return f"{found}:{port}" if port and "/" not in str(found) else str(found)


def _covered() -> Iterator[str]:
    for name, driver in registry.DRIVERS.items():
        yield name
        for instrumentor in driver.instrumentors:
            plain = instrumentor.removesuffix("Instrumentor").lower()
            yield from (plain, plain.removesuffix("client"))


_COVERED: Final = frozenset(_covered())
