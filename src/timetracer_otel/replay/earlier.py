"""What the process of a recorded request had asked in requests before it, and may have kept: a token, a key, settings.

A fresh process asks for it again. Which earlier request knows the answer is found where a replay misses it; that it is
answered from there is for the user to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from timetracer_otel.cassette import end_ns, start_ns
from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.config import MIB
from timetracer_otel.drivers import registry
from timetracer_otel.errors import CassetteError, UsageError
from timetracer_otel.redaction import MARKER
from timetracer_otel.replay.explain import request_json
from timetracer_otel.replay.hiding import HIDDEN
from timetracer_otel.replay.library import asked_before, question_of
from timetracer_otel.replay.report import Miss, Report
from timetracer_otel.store import Store
from timetracer_otel.store.names import part_files, traces_of_process

OPTION: Final = "--earlier"
POSTGRES: Final = "postgres"
"""What its drivers speak."""
LOOKED_AT_MAX: Final = 100
"""Traces of the process that are looked at of each kind: what it kept it asked shortly before, else in the first."""
MISSES_MAX: Final = 50
"""As many as a report shows."""
OPENED_MAX_BYTES: Final = 8 * MIB
"""Of parts on disk of each kind: a report does not wait for large traces to be read."""


def segment_of(cassette: Cassette, wanted: str | None, replayed: Segment) -> Segment:
    """The segment of an earlier request of the process of `replayed`. Raises UsageError where it is none."""
    found = [each for each in cassette.segments if wanted in (None, each.id)]
    others = [each for each in found if each.id != replayed.id]
    of_process = [each for each in others if each.process.id == replayed.process.id]
    before = [each for each in of_process if _is_before(each, replayed)]
    if len(before) == 1:
        return before[0]
    problem = "it began when that had ended"
    if not others:
        problem = "it is what is replayed"
    elif not of_process:
        problem = "it is of another process than what is replayed"
    elif before:
        problem = f"it has several segments of that process: {', '.join(each.name for each in before)}"
    raise UsageError(f"{OPTION} {cassette.trace_id[:8]}", problem, "name one as `replay` says it")


def _is_before(one: Segment, other: Segment) -> bool:
    """True also where the two ran at the same time: what one of them asks the other finds there."""
    return bool(one.spans and other.spans) and start_ns(one) < end_ns(other)


def with_earlier(report: Report, cassette: Cassette, segment: Segment) -> Report:
    """Each miss with the earlier request that had asked the same, where the store of the cassette has one: the last,
    since what is asked anew takes the place of what was kept."""
    wanted = [miss for miss in report.misses[:MISSES_MAX] if _may_be_kept(miss)]
    if not wanted or not Path(cassette.path).is_dir():
        return report
    found: dict[int, str] = {}
    for each in _before(Path(cassette.path).parent, segment):
        asked = [request_json(question_of(exchange)) for exchange in asked_before(each, segment)]
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
    names = set(recorded) - {"values"}
    if recorded.keys() != asked.keys() or any(recorded[name] != asked[name] for name in names):
        return False
    was, now = recorded["values"], asked["values"]
    if not now and registry.wire(asked["lib"]) == POSTGRES:  # it was prepared, which tells no values yet
        return True
    return len(was) == len(now) and all(map(_is_same, was, now))


def _is_same(was: object, now: object) -> bool:
    return was == now or (now == HIDDEN and MARKER.search(str(was)) is not None)


def _before(root: Path, segment: Segment) -> Iterator[Segment]:
    """Segments of the process that began before it ended: those next to it, whose folders need not have changed in the
    order in which they began, and then the first ones; the last in front."""
    process = segment.process
    found = traces_of_process(root, process.id, process.started_ns)
    own = next((number for number, path in enumerate(found) if path.name == segment.trace_id), len(found))
    near = [*reversed(found[max(0, own - LOOKED_AT_MAX) : own]), *found[own + 1 : own + 1 + LOOKED_AT_MAX]]
    first = found[: max(0, min(LOOKED_AT_MAX, own - LOOKED_AT_MAX))]
    for folders in (near, first):
        segments = (each for cassette in _opened(root, folders) for each in cassette.segments)
        before = (each for each in segments if each.process.id == process.id and _is_before(each, segment))
        yield from sorted(before, key=start_ns, reverse=True)


def _opened(root: Path, folders: Sequence[Path]) -> Iterator[Cassette]:
    left = OPENED_MAX_BYTES
    for folder in folders:
        try:
            size = sum(part.stat().st_size for part in part_files(folder))
            if size > left:
                continue
            cassette, _ = Store(root).open_cassette(str(folder))
        except (CassetteError, OSError):  # it is no answer, and nobody asked for it
            continue
        left -= size
        yield cassette
