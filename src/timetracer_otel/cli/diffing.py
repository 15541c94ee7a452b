"""`timetracer-otel diff`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from timetracer_otel.cassette import Cassette, Segment, values
from timetracer_otel.cli import diff_text, settings
from timetracer_otel.cli.output import json_text
from timetracer_otel.comparison import Diff, Differs, Ignored, Item, Only, SegmentDiff, Two, compare, name_of
from timetracer_otel.replay.explain import request_json

FORMAT: Final = 1
DIFFERENT: Final = 1


def print_diff(store: str | None, a: str, b: str, as_json: bool) -> int:
    """0 the same, 1 different. Raises CassetteError, UsageError."""
    found = compare(settings.open_named(store, a), settings.open_named(store, b))
    print(json_text(to_json(found)) if as_json else diff_text.render(found), end="\n" if as_json else "")
    return 0 if found.is_same else DIFFERENT


def to_json(diff: Diff) -> dict[str, Any]:
    """The schema of `--json`; payload values are in `cassette.values` form."""
    return {
        "diff": FORMAT,
        "same": diff.is_same,
        "a": _cassette(diff.a),
        "b": _cassette(diff.b),
        "environment": {name: {"a": was, "b": now} for name, (was, now) in diff.environment.items()},
        "segments": [_segments(each) for each in diff.segments],
        "only_a": [_segment(each) for each in diff.unpaired_a],
        "only_b": [_segment(each) for each in diff.unpaired_b],
    }


def _cassette(cassette: Cassette) -> Mapping[str, Any]:
    return {"trace_id": cassette.trace_id, "path": cassette.path}


def _segment(segment: Segment) -> Mapping[str, Any]:
    return {"segment": segment.id, "entry": name_of(segment)}


def _segments(each: SegmentDiff) -> Mapping[str, Any]:
    return {
        "a": _segment(each.a),
        "b": _segment(each.b),
        "recording": _differences(each.recording),
        "asked": _differences(each.asked),
        "outcome": _differences(each.outcome),
        "requests": [_two(two) for two in each.requests],
        "same_requests": each.same_requests,
        "only_a": [_only(one) for one in each.only_a],
        "only_b": [_only(one) for one in each.only_b],
        "ignored": [_ignored(one) for one in each.ignored],
    }


def _differences(found: Sequence[Differs]) -> list[Mapping[str, Any]]:
    return [{"path": each.path, "a": values.encode(each.a), "b": values.encode(each.b)} for each in found]


def _two(two: Two) -> Mapping[str, Any]:
    return {
        "a": _item(two.a),
        "b": _item(two.b),
        "request": _differences(two.request),
        "answer": _differences(two.answer),
        "moved": two.is_moved,
    }


def _item(item: Item) -> Mapping[str, Any]:
    return {**request_json(item.question), "exchange": item.exchange.id, "number": item.number}


def _only(only: Only) -> Mapping[str, Any]:
    return {"in_a": only.in_a, "in_b": only.in_b, "calls": [_item(item) for item in only.calls]}


def _ignored(each: Ignored) -> Mapping[str, Any]:
    a, b = each.exchanges or (None, None)
    return {
        "path": each.path,
        "reason": each.reason,
        "exchanges": {"a": a, "b": b},
        "a": values.encode(each.a),
        "b": values.encode(each.b),
    }
