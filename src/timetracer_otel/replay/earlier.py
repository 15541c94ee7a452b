"""What the process of a recorded request had asked in requests before it, and may have kept: a token, a key, settings.

A fresh process asks for it again. Which earlier request knows the answer is found where a replay misses it; that it is
answered from there is for the user to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from timetracer_otel.cassette import start_ns
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.config import MIB
from timetracer_otel.errors import CassetteError, UsageError
from timetracer_otel.redaction import MARKER
from timetracer_otel.replay.explain import request_json
from timetracer_otel.replay.hiding import HIDDEN
from timetracer_otel.replay.library import question_of, requests_of
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.store import Store
from timetracer_otel.store.names import part_files, traces_of_process

OPTION: Final = "--earlier"
LOOKED_AT_MAX: Final = 100
"""Traces of the process that are looked at from either end: what it kept it asked in the first or shortly before."""
MISSES_MAX: Final = 50
"""As many as a report shows."""
OPENED_MAX_BYTES: Final = 16 * MIB
"""Of parts on disk, in all: a report does not wait for large traces to be read."""


def segment_of(cassette: Cassette, wanted: str | None, replayed: Segment) -> Segment:
    """The segment of an earlier request of the process of `replayed`. Raises UsageError where it is none."""
    found = [each for each in cassette.segments if wanted in (None, each.id)]
    of_process = [each for each in found if each.process.id == replayed.process.id]
    before = [each for each in of_process if each.id != replayed.id and _is_before(each, replayed)]
    if len(before) != 1:
        problem = "it is of another process than what is replayed" if not of_process else "it did not begin before that"
        if len(before) > 1:
            problem = f"it has several segments of that process: {', '.join(each.name for each in before)}"
        raise UsageError(f"{OPTION} {cassette.trace_id[:8]}", problem, "name one as `replay` says it")
    return before[0]


def _is_before(one: Segment, other: Segment) -> bool:
    return bool(one.spans and other.spans) and start_ns(one) < start_ns(other)


def with_earlier(report: Report, cassette: Cassette, segment: Segment) -> Report:
    """Each miss with the earlier request that had asked the same, where the store of the cassette has one."""
    wanted = [miss for miss in report.misses[:MISSES_MAX] if _may_be_kept(miss)]
    if not wanted or not Path(cassette.path).is_dir():
        return report
    found: dict[int, str] = {}
    for each in _before(Path(cassette.path).parent, segment):
        asked = [request_json(question_of(exchange)) for exchange in requests_of(each.exchanges)]
        for miss in wanted:
            if id(miss) not in found and any(_are_alike(one, miss.request) for one in asked):
                found[id(miss)] = each.name
        if len(found) == len(wanted):
            break
    return replace(
        report, misses=tuple(replace(miss, earlier=found.get(id(miss), miss.earlier)) for miss in report.misses)
    )


def _may_be_kept(miss: Miss) -> bool:
    """False for what the request itself had asked once: it had not kept that."""
    is_own = any(_is_calls(each) for each in miss.differences)
    return not (is_own or miss.is_cut or miss.is_refused or miss.is_reordered)


def _is_calls(difference: Mapping[str, Any]) -> bool:
    return bool(difference["path"] == "calls")


def _are_alike(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """True if the two say the same; of a secret it is only known that it stands there."""
    if recorded.keys() != asked.keys() or len(recorded["values"]) != len(asked["values"]):
        return False
    pairs = zip(recorded["values"], asked["values"], strict=True)
    is_same = all(was == now or (now == HIDDEN and MARKER.search(str(was))) for was, now in pairs)
    return is_same and all(recorded[name] == asked[name] for name in recorded if name != "values")


def _before(root: Path, segment: Segment) -> Iterator[Segment]:
    """Segments of the process that began before, the first ones and then the last ones."""
    process = segment.process
    found = traces_of_process(root, process.id, process.started_ns)
    folders = [path for path in found if path.name != segment.trace_id]
    few = folders if len(folders) <= 2 * LOOKED_AT_MAX else [*folders[:LOOKED_AT_MAX], *folders[-LOOKED_AT_MAX:]]
    left = OPENED_MAX_BYTES
    for folder in few:
        try:
            size = sum(part.stat().st_size for part in part_files(folder))
            if size > left:
                continue
            cassette, _ = Store(root).open_cassette(str(folder))
        except (CassetteError, OSError):  # it is no answer, and nobody asked for it
            continue
        left -= size
        for each in cassette.segments:
            if each.process.id == process.id and _is_before(each, segment):
                yield each
