"""A trace as rows in the order of its tree: spans, and under each span the requests that were made in it. Pure.

A stranger's cassette may have parents that are missing, of another segment, or in a circle: each span and each request
is a row all the same, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from timetracer_otel.cassette import Acquire, Cassette, Exchange, Segment, Span, end_ns, start_ns
from timetracer_otel.cli.describe import description
from timetracer_otel.cli.transactions import transactions
from timetracer_otel.replay.library import entry_of

Kind: TypeAlias = Literal["span", "exchange", "acquire"]
"""`acquire`: a wait for a connection of a pool."""
SENDING: Final = "asgi.event.type"
"""Attribute of a span that stands for one message of ASGI."""
NEVER_NS: Final = 2**63
"""What `start_ns` says of a segment of which no span was written."""


@dataclass(slots=True, eq=False)
class Row:
    kind: Kind
    segment: Segment
    start_ns: int
    end_ns: int
    span: Span | None = None
    """None for a root that has not ended."""
    exchange: Exchange | None = None
    acquire: Acquire | None = None
    transaction: str | None = None
    """Its number, and how many savepoints it is inside."""
    is_failed: bool = False
    is_late: bool = False
    """It began when the entry had been answered."""
    is_stray: bool = False
    """Its span is not in the cassette."""
    depth: int = 0
    parent: Row | None = None
    children: list[Row] = field(default_factory=list)

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def is_root(self) -> bool:
        """Of its segment."""
        return self.kind == "span" and (self.span is None or self.span.span_id == self.segment.id)


@dataclass(frozen=True, slots=True)
class Skew:
    """A segment that begins before the span that called it: two clocks."""

    segment: Segment
    parent: Segment
    early_ns: int


@dataclass(frozen=True, slots=True)
class Waterfall:
    rows: Sequence[Row]
    start_ns: int
    end_ns: int
    skews: Sequence[Skew]

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns


def waterfall(cassette: Cassette) -> Waterfall:
    roots = _linked(cassette)
    rows = list(_walked(roots))
    start = min((row.start_ns for row in rows), default=0)
    return Waterfall(rows, start, max((row.end_ns for row in rows), default=start), list(_skews(rows)))


def without_short(rows: Sequence[Row], min_ns: int) -> list[Row]:
    """Those that took `min_ns` or more, that failed, or that such a one stands under; and the root of each segment."""
    kept: set[int] = set()
    for row in reversed(rows):  # children before their parents
        if row.duration_ns >= min_ns or row.is_failed or row.is_root or id(row) in kept:
            kept.add(id(row))
            if row.parent is not None:
                kept.add(id(row.parent))
    return [row for row in rows if id(row) in kept]


# ---- rows ------------------------------------------------------------------------------------------------------------


def _linked(cassette: Cassette) -> list[Row]:
    """The rows that stand under none, with the others below them."""
    own = [_rows_of_spans(segment) for segment in cassette.segments]
    anywhere = {span_id: row for rows in reversed(own) for span_id, row in rows.items()}
    every = [row for rows in own for row in rows.values()]
    for rows in own:
        for row in rows.values():
            row.parent = _parent(row, rows, anywhere)
    for segment, rows in zip(cassette.segments, own, strict=True):
        every += _rows_of_exchanges(segment, rows)
        every += _rows_of_pools(segment, rows)
    for row in every:
        if row.parent is not None:
            row.parent.children.append(row)
    return _cut_circles(every)


def _rows_of_spans(segment: Segment) -> dict[str, Row]:
    rows = {
        span.span_id: Row("span", segment, span.start_ns, span.end_ns, span, is_failed=span.status == "ERROR")
        for span in segment.spans
    }
    if segment.id not in rows:
        start = _begin_ns(segment)
        rows[segment.id] = Row("span", segment, start, max(start, _end_ns(segment, start)))
    answered_ns = _answered_ns(segment)
    for row in rows.values():
        row.is_late = answered_ns is not None and row.start_ns >= answered_ns and not _is_answering(row)
    return rows


def _is_answering(row: Row) -> bool:
    """The span in which OpenTelemetry sends the last of the answer begins when that has been heard."""
    return row.span is not None and SENDING in row.span.attributes


def _parent(row: Row, own: dict[str, Row], anywhere: dict[str, Row]) -> Row | None:
    segment = row.segment
    wanted = [row.span.parent_id] if row.span is not None else []
    wanted += [segment.parent_segment] if row.is_root else [segment.id]
    for name in filter(None, wanted):
        found = own.get(name) or anywhere.get(name)
        if found is not None and found is not row:
            return found
    return None


def _rows_of_exchanges(segment: Segment, spans: dict[str, Row]) -> Iterator[Row]:
    entry, root = entry_of(segment), spans[segment.id]
    places = transactions(segment).places
    answered_ns = _answered_ns(segment)
    for exchange in segment.exchanges:
        if entry is not None and exchange.id == entry.id:
            continue
        start = _begin_ns(segment) + exchange.at_ns
        row = Row("exchange", segment, start, start + exchange.duration_ns, exchange=exchange)
        row.transaction = places.get(exchange.id)
        row.parent = spans.get(exchange.span_id or "", root)
        row.is_failed = bool(exchange.result.get("error") or exchange.result.get("exception"))
        row.is_late = answered_ns is not None and start >= answered_ns
        row.is_stray = (exchange.span_id or "") not in spans
        yield row


def _rows_of_pools(segment: Segment, spans: dict[str, Row]) -> Iterator[Row]:
    for acquire in segment.pools:
        start = _begin_ns(segment) + acquire.at_ns
        row = Row("acquire", segment, start, start + acquire.wait_ns, acquire=acquire)
        row.parent = spans.get(acquire.span_id or "", spans[segment.id])
        row.is_failed = acquire.error is not None
        yield row


def _begin_ns(segment: Segment) -> int:
    start = start_ns(segment)
    return start if start < NEVER_NS else segment.process.started_ns


def _end_ns(segment: Segment, start: int) -> int:
    if segment.spans:
        return end_ns(segment)
    return start + max((each.at_ns + each.duration_ns for each in segment.exchanges), default=0)


def _answered_ns(segment: Segment) -> int | None:
    """When the entry's answer had left, on the wall clock."""
    entry = entry_of(segment)
    if entry is None or (answered := description(entry).answered_ns) is None:
        return None
    return _begin_ns(segment) + entry.at_ns + answered


# ---- tree ------------------------------------------------------------------------------------------------------------


def _cut_circles(every: Sequence[Row]) -> list[Row]:
    """Rows without a parent; where parents go in a circle, the first of it becomes one."""
    roots = [row for row in every if row.parent is None]
    seen = {id(row) for row in _below(roots)}
    for row in every:
        if id(row) not in seen:
            if row.parent is not None:
                row.parent.children.remove(row)
            row.parent = None
            roots.append(row)
            seen.update(id(each) for each in _below([row]))
    return roots


def _below(roots: Sequence[Row]) -> Iterator[Row]:
    waiting = list(roots)
    while waiting:
        yield (row := waiting.pop())
        waiting.extend(row.children)


def _walked(roots: Sequence[Row]) -> Iterator[Row]:
    """Depth first, the earliest first. Without recursion: a trace may be deeper than Python's stack."""
    waiting = sorted(roots, key=_when, reverse=True)
    while waiting:
        row = waiting.pop()
        row.depth = 0 if row.parent is None else row.parent.depth + 1
        yield row
        waiting.extend(sorted(row.children, key=_when, reverse=True))


def _when(row: Row) -> tuple[int, bool]:
    return row.start_ns, row.kind != "span"


def _skews(rows: Sequence[Row]) -> Iterator[Skew]:
    for row in rows:
        parent = row.parent
        if row.is_root and parent is not None and parent.segment is not row.segment and row.start_ns < parent.start_ns:
            yield Skew(row.segment, parent.segment, parent.start_ns - row.start_ns)
