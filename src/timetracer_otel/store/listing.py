"""What is in a store, for people who look for a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from timetracer_otel.cassette import Cassette, Entry, Part, Segment, merge, partly_sampled, service_of, start_ns
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.errors import CassetteError, DamagedCassette
from timetracer_otel.store.names import last_trace_folders, part_files, trace_folders
from timetracer_otel.store.reading import read_part

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """`process` is the id of the process, `exchanges` their number, `is_partly_sampled` what `partly_sampled` says."""

    segment: str
    entry: Entry | None
    process: str
    exchanges: int
    complete: bool
    is_partly_sampled: bool = False

    def as_json(self) -> dict[str, Any]:
        """As `list --json` has it. (Any: it goes into a JSON writer.)"""
        return {
            "segment": self.segment,
            "entry": None if self.entry is None else _entry_json(self.entry),
            "process": self.process,
            "exchanges": self.exchanges,
            "complete": self.complete,
        }


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """`started_ns` and `duration_ns` are None where no span was written."""

    trace_id: str
    path: str
    service: str | None
    started_ns: int | None
    duration_ns: int | None
    complete: bool
    segments: tuple[SegmentSummary, ...]

    @property
    def started_at(self) -> str | None:
        """ISO 8601 in UTC, to the microsecond."""
        if self.started_ns is None:
            return None
        return (_EPOCH + timedelta(microseconds=self.started_ns // 1000)).isoformat().replace("+00:00", "Z")

    @property
    def duration_ms(self) -> float | None:
        return None if self.duration_ns is None else self.duration_ns / 1e6

    def as_json(self) -> dict[str, Any]:
        """As `list --json` has it. (Any: it goes into a JSON writer.)"""
        return {
            "trace_id": self.trace_id,
            "path": self.path,
            "service": self.service,
            "started_at": self.started_at,
            "duration_ms": self.duration_ms,
            "complete": self.complete,
            "segments": [segment.as_json() for segment in self.segments],
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """Traces newest first; `problems` has one line per file that could not be read."""

    traces: tuple[TraceSummary, ...]
    problems: tuple[str, ...]


def list_traces(root: Path, last: int | None = None) -> Listing:
    """Empty if there is no such store. `last`: only so many traces. Raises OSError if the folder cannot be read."""
    traces: list[TraceSummary] = []
    problems: list[str] = []
    for folder in trace_folders(root) if last is None else last_trace_folders(root, last):
        parts, damaged = _readable_parts(folder)
        problems += damaged
        if parts:
            traces.append(summary_of(replace(merge(folder.name, parts), path=str(folder)), is_whole=not damaged))
    traces.sort(key=lambda trace: (trace.started_ns is not None, trace.started_ns, trace.trace_id), reverse=True)
    return Listing(tuple(traces), tuple(problems))


def _readable_parts(folder: Path) -> tuple[list[Part], list[str]]:
    parts: list[Part] = []
    problems: list[str] = []
    allowance = Allowance()
    for path in part_files(folder):
        try:
            parts.append(_part_of(folder, path, allowance))
        except CassetteError as error:
            problems.append(str(error))
    return parts, problems


def _part_of(folder: Path, path: Path, allowance: Allowance) -> Part:
    part = read_part(path, allowance)
    if part.trace_id != folder.name:
        raise DamagedCassette(str(path), f"it is a part of trace {part.trace_id}")
    return part


def summary_of(cassette: Cassette, is_whole: bool = True) -> TraceSummary:
    """`is_whole`: each of its files could be read."""
    started_ns, duration_ns = _times(cassette.segments)
    partly = partly_sampled(cassette)
    return TraceSummary(
        trace_id=cassette.trace_id,
        path=cassette.path,
        service=service_of(cassette),
        started_ns=started_ns,
        duration_ns=duration_ns,
        complete=is_whole and all(segment.complete for segment in cassette.segments),
        segments=tuple(
            _segment_summary(segment, (segment.id, segment.process.id) in partly) for segment in cassette.segments
        ),
    )


def _segment_summary(segment: Segment, is_partly_sampled: bool) -> SegmentSummary:
    return SegmentSummary(
        segment=segment.id,
        entry=segment.entry,
        process=segment.process.id,
        exchanges=len(segment.exchanges),
        complete=segment.complete,
        is_partly_sampled=is_partly_sampled,
    )


def _times(segments: Sequence[Segment]) -> tuple[int | None, int | None]:
    """Start, and time to the end of the last span."""
    ends_ns = [span.end_ns for segment in segments for span in segment.spans]
    if not ends_ns:
        return None, None
    started_ns = min(start_ns(segment) for segment in segments)
    return started_ns, max(ends_ns) - started_ns


def _entry_json(entry: Entry) -> dict[str, str]:
    return {"type": entry.type, "name": entry.name, "outcome": entry.outcome}
