"""What is other than when it was recorded: versions and variables of the environment. It decides nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from timetracer_otel.capture.process import SET, SHOWN, variables, versions
from timetracer_otel.cassette.model import Process

HELD: Final = frozenset({"PYTHONHASHSEED", "AWS_REGION", "AWS_DEFAULT_REGION"})
"""A replay runs with the recorded ones."""


class Variables:
    """What a replayed process gives itself, as from a file `.env`: the recorded one had it by the time it was written
    down, and whoever reports has not."""

    def __init__(self) -> None:
        self._before = variables(os.environ)

    def added(self) -> Mapping[str, str]:
        """By now, in the form of a recording."""
        return {name: value for name, value in variables(os.environ).items() if self._before.get(name) != value}


def with_added(events: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """The variables here, and those that the replayed processes had given themselves."""
    added = (event["added"] for event in events if event["event"] == "done")
    return {name: value for each in (os.environ, *added) for name, value in each.items()}


def changes_since(process: Process, environ: Mapping[str, str] = os.environ) -> tuple[Mapping[str, Any], ...]:
    """`{"name", "recorded", "replayed"}`; None for what is not there. What was not recorded is not compared."""
    return tuple(
        {"name": name, "recorded": was, "replayed": now} for name, was, now in _pairs(process, environ) if was != now
    )


def _pairs(process: Process, environ: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    if process.python:
        yield "python", process.python, sys.version.split()[0]
    installed = versions() if process.packages else {}
    for name, version in sorted(process.packages.items()):
        yield f"packages.{name}", version, installed.get(name)
    here = variables(environ) if process.variables else {}
    shown = {name for name in here if name in SHOWN}
    for name in sorted({*process.variables, *shown} - HELD if process.variables else ()):
        yield f"variables.{name}", process.variables.get(name), here.get(name)


def in_words(changed: Mapping[str, Any]) -> str:
    """`python: recorded 3.11.4, now 3.12.1`"""
    was, now = (_word(changed[side]) for side in ("recorded", "replayed"))
    return f"{changed['name']}: recorded {was}, now {now}"


def _word(value: str | None) -> str:
    return "absent" if value is None else (value or "empty") if value != SET else SET
