"""A recorded request or task as a test: it runs again without a server, and must come to the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import runner
from timetracer_otel.replay.bootstrap import pick
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.text import render
from timetracer_otel.store import Store

Outcome = Mapping[str, Any]
"""`status`, `headers`, `body` of a request; `state`, `return_value` of a task; `exception` where there was one."""


def assert_same(
    cassette: str | os.PathLike[str],
    app: str,
    segment: str | None = None,
    timeout_s: float = runner.TIMEOUT_S,
    secrets: Mapping[str, str] | None = None,
) -> Outcome:
    """What the recorded entry came to this time, in a process of its own without a network.

    `app` is `module:attribute` or `module:factory()`, found from the working directory; `segment` names one of several.
    `secrets` are sent in place of masked ones: a value by the name, or `module:function()` that gives it.
    Raises AssertionError with the report when it deviates or cannot be decided, TimetracerError when it cannot run.
    """
    path = os.fspath(cassette)
    opened, named = Store(os.path.dirname(path)).open_cassette(path)
    report = replayed(opened, _segment(opened, segment or named), app, timeout_s, secrets or {})
    if report.verdict != "same":
        raise AssertionError(render(report))
    return report.replayed


def replayed(cassette: Cassette, segment: Segment, app: str, timeout_s: float, secrets: Mapping[str, str]) -> Report:
    """Raises ReplayError."""
    for name, source in secrets.items():
        if not isinstance(source, str) or not source:  # a variable of the environment that is not set
            given = type(source).__name__ if source else "nothing"
            raise ReplayError(f"secrets[{name!r}]", f"it is {given}", "give a text, or leave it out")
    return runner.replay(cassette, segment, Options(app, timeout_s, secrets=secrets))


def _segment(cassette: Cassette, wanted: str | None) -> Segment:
    """By the whole name or the beginning of its span. Raises ReplayError."""
    if wanted is None:
        return pick(cassette, None)
    found = [each for each in cassette.segments if each.id.startswith(wanted.rpartition("/")[2])]
    if len(found) != 1:
        names = ", ".join(each.name for each in cassette.segments)
        raise ReplayError(cassette.path, f"{wanted!r} names no segment of it", f"there are {names}")
    return found[0]
