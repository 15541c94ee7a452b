"""Scenarios in a process of their own, each under a span: `python -m tests.drivers.http.program MODULE[:NAME] ...`.

Prints one line for each: its name and what it gave.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from typing import Any

from opentelemetry import trace


def main(*wanted: str) -> None:
    tracer = trace.get_tracer("tests")
    with tracer.start_as_current_span("work"):
        for scenario in (each for name in wanted for each in _named(name)):
            with tracer.start_as_current_span(scenario.__name__):
                print(f"{scenario.__name__}\t{_given(scenario)!r}", flush=True)


def _named(name: str) -> list[Any]:
    module, _, function = name.partition(":")
    scenarios = importlib.import_module(f"tests.drivers.http.{module}")
    return [getattr(scenarios, function)] if function else list(scenarios.SCENARIOS)


def _given(scenario: Any) -> Any:
    return asyncio.run(scenario()) if inspect.iscoroutinefunction(scenario) else scenario()


if __name__ == "__main__":
    main(*sys.argv[1:])
