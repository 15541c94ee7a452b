"""`timetracer-otel list`"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from timetracer_otel.cassette import NOT_SAMPLED, Entry
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cli import settings
from timetracer_otel.cli.output import json_text, print_table
from timetracer_otel.cli.task import Task
from timetracer_otel.config import duration_s
from timetracer_otel.errors import CassetteError, UsageError
from timetracer_otel.store import Listing, SegmentSummary, Store, TraceSummary
from timetracer_otel.store.names import PROCESSES, environment_files, ids_beginning_with

HEADINGS: Final = ("trace", "started (UTC)", "ms", "service", "entry", "outcome", "exchanges")
PREFIX_MIN: Final = 8
FINE: Final = re.compile(r"ok|[1-4]\d\d|")
"""Outcomes that are no error: `ok` of a function, a status below 500 without an exception, or none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options that choose traces; None does not choose."""

    service: str | None = None
    entry: str | None = None
    errors: bool = False
    since: str | None = None

    def check(self) -> None:
        """Before the store is looked at. Raises UsageError for an empty option and for a duration without a unit."""
        for source, value in {"--service": self.service, "--entry": self.entry}.items():
            if value is not None:
                settings.not_empty(source, value)
        if self.since is not None:
            duration_s(self.since, "--since")

    def choose(self, traces: Iterable[TraceSummary], now_ns: int) -> list[TraceSummary]:
        """Raises UsageError for a duration without a unit."""
        since_ns = None if self.since is None else now_ns - int(duration_s(self.since, "--since") * 1e9)
        return [trace for trace in traces if self._fits(trace, since_ns)]

    def _fits(self, trace: TraceSummary, since_ns: int | None) -> bool:
        entries = [segment.entry for segment in trace.segments if segment.entry is not None]
        return (
            (self.service is None or trace.service == self.service)
            and (self.entry is None or any(self.entry in entry.name for entry in entries))
            and (not self.errors or any(map(has_failed, entries)))
            and (since_ns is None or (trace.started_ns or 0) >= since_ns)
        )


EVERYTHING: Final = Wanted()


def has_failed(entry: Entry) -> bool:
    """True after an exception or a status of 5xx."""
    return FINE.fullmatch(entry.outcome) is None


def task(store: str | None = None, wanted: Wanted = EVERYTHING, as_json: bool = False, last: int | None = None) -> Task:
    """`last`: only so many traces, of which a file was written last."""
    return partial(print_list, store, wanted, as_json, last)


def print_list(store_option: str | None, wanted: Wanted, as_json: bool, last: int | None = None) -> int:
    """Raises UsageError for an empty store, CassetteError if nothing in it can be read."""
    wanted.check()
    store = settings.store(store_option)
    if store.has_pending():
        store.adopt()
        _say_what_waits(store)
    listing = _filled(store, last)
    chosen = wanted.choose(listing.traces, time.time_ns())
    for problem in listing.problems:
        print(safe(problem), file=sys.stderr)
    if as_json:
        print(json_text([trace.as_json() for trace in chosen]))
    elif chosen:
        print_table(
            HEADINGS, list(_rows(chosen, _prefix_length(store, listing))), elastic=("service", "entry", "outcome")
        )
    else:
        print(f"none of the {len(listing.traces)} traces in {store.root} fits", file=sys.stderr)
    return 0


def _say_what_waits(store: Store) -> None:
    if waiting := store.unfinished().dead:
        what = "1 unfinished recording waits" if waiting == 1 else f"{waiting} unfinished recordings wait"
        reason = "and cannot be adopted: no right to write here, no room, or of a newer release"
        print(safe(f"{store.root}: {what} {reason}"), file=sys.stderr)


def _filled(store: Store, last: int | None) -> Listing:
    listing = store.list_traces(last)
    if listing.traces:
        return listing
    if listing.problems:
        raise CassetteError(listing.problems[0])
    if environment_files(store.root / PROCESSES):
        problem = f"it holds no trace; what processes did outside of every span is in {PROCESSES}/"
        raise UsageError(str(store.root), problem, "give a file of it to `timetracer-otel exec`, or open spans")
    if not store.root.exists():
        problem = "there is no such folder"
    else:
        problem = "it holds no cassette" if store.root.is_dir() else "it is a file, not a folder of cassettes"
    raise UsageError(str(store.root), problem, "record something (OTEL_TRACES_EXPORTER=timetracer), or name a --store")


def _rows(traces: Sequence[TraceSummary], prefix_length: int) -> Iterator[Sequence[str]]:
    """One row per segment: its first column is what `show` and `replay` take."""
    for trace in traces:
        for number, segment in enumerate(trace.segments):
            name = trace.trace_id[:prefix_length]
            if len(trace.segments) > 1:
                name = f"{name}/{segment.segment[:PREFIX_MIN]}"
            about = _about(trace) if number == 0 else ("", "", "")
            yield (name, *about, *_about_segment(segment))


def _about(trace: TraceSummary) -> tuple[str, str, str]:
    started = (trace.started_at or "").replace("T", " ")[:19]
    duration = "" if trace.duration_ms is None else f"{trace.duration_ms:.1f}"
    return started, duration, safe(trace.service or "")


def _about_segment(segment: SegmentSummary) -> tuple[str, str, str]:
    name, outcome = (segment.entry.name, segment.entry.outcome) if segment.entry else ("", "")
    labels = ["incomplete"] * (not segment.complete) + [NOT_SAMPLED] * segment.is_partly_sampled
    count = f"{segment.exchanges} ({', '.join(labels)})" if labels else str(segment.exchanges)
    return safe(name), safe(outcome), count


def _prefix_length(store: Store, listing: Listing) -> int:
    """Digits that tell every trace of the listing from the others of the store."""
    listed = {trace.trace_id for trace in listing.traces}
    ids = sorted(ids_beginning_with(store.root, {trace_id[:PREFIX_MIN] for trace_id in listed}))
    neighbours = [pair for pair in itertools.pairwise(ids) if not listed.isdisjoint(pair)]
    return max([PREFIX_MIN, *(_common(one, other) + 1 for one, other in neighbours)])


def _common(one: str, other: str) -> int:
    return next((index for index, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1), len(one))
