"""`timetracer-otel timeline`"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from timetracer_otel.cassette import Acquire, Cassette, Segment, service_of
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import settings
from timetracer_otel.cli.describe import describe
from timetracer_otel.cli.output import UNLIMITED_WIDTH, json_text, one_line
from timetracer_otel.cli.waterfall import Row, Skew, Waterfall, waterfall, without_short
from timetracer_otel.comparison import name_of
from timetracer_otel.config import duration_s
from timetracer_otel.errors import UsageError

FORMAT: Final = 1
WIDTH_MIN: Final = 40
WIDTH_MAX: Final = 10_000
BAR_MIN: Final = 10
BAR_MAX: Final = 60
TIMES_WIDTH: Final = 22
"""Of the two columns of numbers and what separates them from the bar and the text."""
DEPTH_MAX: Final = 16
"""Levels that are indented; deeper rows say their level."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a bar looks."""

    span: str
    exchange: str
    acquire: str
    failed: str
    ellipsis: str
    color: Callable[[str, Row], str] = lambda bar, row: bar


PLAIN: Final = Style(span="=", exchange="#", acquire=".", failed="!", ellipsis="...")


def print_timeline(store: str | None, wanted: str, minimum: str | None, width: int | None, as_json: bool) -> int:
    """Raises CassetteError, UsageError."""
    min_ns = 0 if minimum is None else int(duration_s(minimum, "--min") * 1e9)
    if width is not None and not WIDTH_MIN <= width <= WIDTH_MAX:
        raise UsageError("--width", f"{width} is not in {WIDTH_MIN}..{WIDTH_MAX}", "name another number of columns")
    cassette = settings.open_named(store, wanted)
    picture = waterfall(cassette)
    rows = without_short(picture.rows, min_ns)
    if as_json:
        print(json_text(_to_json(cassette, picture, rows, min_ns)))
    else:
        for line in _text(cassette, picture, rows, minimum or "", width):
            print(line)
    return 0


def _text(
    cassette: Cassette, picture: Waterfall, rows: Sequence[Row], minimum: str, width: int | None
) -> Iterator[str]:
    yield from _head(cassette, picture)
    yield ""
    yield from _Drawing(picture, width).lines(rows)
    notes = [*_hidden(picture, rows, minimum), *_incomplete(cassette), *map(_skew, picture.skews)]
    if notes:
        yield ""
        yield from map(safe, notes)


def _head(cassette: Cassette, picture: Waterfall) -> Iterator[str]:
    yield safe(f"trace     {cassette.trace_id}   {service_of(cassette) or ''}").rstrip()
    for segment in cassette.segments:
        outcome = segment.entry.outcome if segment.entry is not None else ""
        where = f"{segment.process.pid} on {segment.process.host}" if segment.process.host else ""
        yield safe(f"segment   {segment.name}   {name_of(segment)}   {outcome}   {where}").rstrip()
    yield f"took      {_ms(picture.duration_ns)} ms"


# ---- notes -----------------------------------------------------------------------------------------------------------


def _hidden(picture: Waterfall, rows: Sequence[Row], minimum: str) -> Iterator[str]:
    counts = _counts_hidden(picture, rows)
    if any(counts.values()):
        named = [f"{count} {kind}{'s' * (count != 1)}" for kind, count in counts.items() if count]
        yield f"hidden: {' and '.join(named)} shorter than {minimum}"


def _counts_hidden(picture: Waterfall, rows: Sequence[Row]) -> Mapping[str, int]:
    return {
        kind: sum(row.kind == kind for row in picture.rows) - sum(row.kind == kind for row in rows)
        for kind in ("span", "exchange", "acquire")
    }


def _incomplete(cassette: Cassette) -> Iterator[str]:
    for segment in cassette.segments:
        if not segment.complete:
            yield f"incomplete: segment {segment.name} was recorded without its end, or has gaps"
        if losses := ", ".join(f"{reason}: {count}" for reason, count in segment.dropped.items() if count):
            yield f"dropped: segment {segment.name}: {losses}"


def _skew(skew: Skew) -> str:
    early, host, parent = _ms(skew.early_ns), skew.segment.process.host, skew.parent.process.host
    return (
        f"clock skew: segment {skew.segment.name} on {host or 'its host'} begins {early} ms before its parent on "
        f"{parent or 'another'}; each is drawn as its own clock says"
    )


# ---- picture ---------------------------------------------------------------------------------------------------------


class _Drawing:
    """Numbers and bars first: however long a text is, they stand in line."""

    def __init__(self, picture: Waterfall, width: int | None) -> None:
        self._picture = picture
        is_terminal = sys.stdout.isatty() and width is None
        is_plain = bool(os.environ.get("NO_COLOR")) or not (sys.stdout.encoding or "").lower().startswith("utf")
        self._style = _colored() if is_terminal and not is_plain else PLAIN
        columns = width or (shutil.get_terminal_size().columns if is_terminal else None)
        # Without a terminal nothing is cut: a file or a pipe has no width.
        self._columns = UNLIMITED_WIDTH if columns is None else max(WIDTH_MIN, columns)
        self._bar = max(BAR_MIN, min(BAR_MAX, (self._columns - TIMES_WIDTH) // 2 - 5))

    def lines(self, rows: Sequence[Row]) -> Iterator[str]:
        yield f"{'at ms':>9} {'ms':>9}"
        for row in rows:
            times = f"{_ms(row.start_ns - self._picture.start_ns):>9} {_ms(row.duration_ns):>9}"
            room = self._columns - len(times) - self._bar - 4
            yield f"{times} |{self._drawn(row)}| {self._cut(_label(row), room)}"

    def _drawn(self, row: Row) -> str:
        first, last = (self._place(each) for each in (row.start_ns, row.end_ns))
        first = min(first, self._bar - 1)
        last = max(first + 1, last)
        marks = {"span": self._style.span, "exchange": self._style.exchange, "acquire": self._style.acquire}
        mark = self._style.failed if row.is_failed else marks[row.kind]
        bar = self._style.color(mark * (last - first), row)
        return f"{' ' * first}{bar}{' ' * (self._bar - last)}"

    def _place(self, at_ns: int) -> int:
        """Column at which the time stands."""
        total = max(1, self._picture.duration_ns)
        return max(0, min(self._bar, (at_ns - self._picture.start_ns) * self._bar // total))

    def _cut(self, text: str, room: int) -> str:
        from rich.cells import cell_len, set_cell_size

        if cell_len(text) <= room:
            return text
        ellipsis = self._style.ellipsis
        return f"{set_cell_size(text, max(0, room - len(ellipsis))).rstrip()}{ellipsis}"


def _colored() -> Style:
    from rich.color import ColorSystem
    from rich.style import Style as Color

    colors = {name: Color(color=name) for name in ("cyan", "green", "red", "yellow")}

    def color(bar: str, row: Row) -> str:
        name = "red" if row.is_failed else "yellow" if row.is_late else "cyan" if row.kind == "span" else "green"
        return colors[name].render(bar, color_system=ColorSystem.STANDARD)

    return Style(span="━", exchange="■", acquire="┄", failed="━", ellipsis="…", color=color)


def _label(row: Row) -> str:
    depth = "  " * min(row.depth, DEPTH_MAX)
    level = f"({row.depth}) " if row.depth > DEPTH_MAX else ""
    # The marks first: a long text is cut.
    return f"{depth}{level}{''.join(f'[{mark}] ' for mark in _marks(row))}{_what(row)}"


def _what(row: Row) -> str:
    if row.exchange is not None:
        about = describe(row.exchange)
        values = f"   ({about.values})" if about.values else ""
        text = about.text or about.call
        outcome = f"   {about.outcome}" if about.outcome not in ("", text) else ""
        return f"{text}{values}{outcome}"
    if row.acquire is not None:
        return _acquire(row.acquire)
    if row.span is None:
        return one_line(name_of(row.segment) or row.segment.name)
    kind = "" if row.span.kind == "INTERNAL" else f"   {row.span.kind}"
    return safe(f"{one_line(row.span.name)}{kind}")


def _acquire(acquire: Acquire) -> str:
    pool = one_line(f"{acquire.driver} {acquire.pool}").rstrip()
    error = f"   {one_line(acquire.error)}" if acquire.error is not None else ""
    stood = f"size {acquire.size}/{acquire.max_size}, {acquire.idle} idle, {acquire.waiting} waiting"
    return f"pool {pool}   {stood}{error}"


def _marks(row: Row) -> Iterator[str]:
    if row.is_root and row.parent is not None:
        yield f"segment {row.segment.name}"
    if row.kind == "span" and row.span is None:
        yield "not ended"
    if row.is_failed:
        yield "failed"
    if row.transaction is not None:
        yield f"tx {row.transaction}"
    if row.exchange is not None and row.is_stray:
        yield "no span" if row.exchange.span_id is None else "its span is not there"
    if row.is_late and (row.parent is None or not row.parent.is_late):
        yield "after the response"


def _ms(duration_ns: int) -> str:
    return f"{duration_ns / 1e6:.1f}"


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _to_json(cassette: Cassette, picture: Waterfall, rows: Sequence[Row], min_ns: int) -> Mapping[str, Any]:
    return {
        "timeline": FORMAT,
        "trace_id": cassette.trace_id,
        "path": cassette.path,
        "start_ns": picture.start_ns,
        "duration_ns": picture.duration_ns,
        "segments": [_segment_json(each) for each in cassette.segments],
        "rows": [_row_json(row, picture.start_ns) for row in rows],
        "hidden": {"min_ns": min_ns, **_counts_hidden(picture, rows)},
        "clock_skews": [
            {"segment": each.segment.id, "parent": each.parent.id, "early_ns": each.early_ns} for each in picture.skews
        ],
    }


def _segment_json(segment: Segment) -> Mapping[str, Any]:
    return {
        "segment": segment.id,
        "entry": name_of(segment),
        "outcome": segment.entry.outcome if segment.entry is not None else None,
        "process": segment.process.id,
        "host": segment.process.host,
        "pid": segment.process.pid,
        "complete": segment.complete,
        "dropped": dict(segment.dropped),
    }


def _row_json(row: Row, start_ns: int) -> Mapping[str, Any]:
    return {
        "kind": row.kind,
        "depth": row.depth,
        "segment": row.segment.id,
        "id": row.exchange.id if row.exchange is not None else row.span.span_id if row.span is not None else None,
        "text": _what(row),
        "transaction": row.transaction,
        "at_ns": row.start_ns - start_ns,
        "duration_ns": row.duration_ns,
        "failed": row.is_failed,
        "after_response": row.is_late,
        "ended": row.kind != "span" or row.span is not None,
    }
