"""All that applications do with one driver, in one trace: `python -m tests.drivers.postgres.matrix PROGRAMS PART DSN`.

PROGRAMS are names with commas between them. Prints a line of JSON for each scenario: its program, its name and what it
gave (`repr`). PART is `record` or `replay`, for those
scenarios that do something else in replay. The launcher or `exec` does the rest, as for an application.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias

from opentelemetry import trace

from timetracer_otel.capture import guard

Scenario: TypeAlias = Callable[[str], Any]
PROCESSES: Final = (
    "asyncpg,sqlalchemy-asyncpg",
    "asyncpg-uvloop,sqlalchemy-asyncpg-uvloop",
    "psycopg-binary,sqlalchemy-psycopg,sqlalchemy-psycopg_async",
    "psycopg-python,sqlalchemy-psycopg-python",
)
"""Programs that share a process, since to start one takes as long as to run one."""


def scenarios(program: str) -> Sequence[Scenario]:
    if program.startswith("sqlalchemy"):
        from tests.drivers.sqlalchemy.programs import programs

        return programs(program)
    return _asyncpg() if program.startswith("asyncpg") else _psycopg()


def _asyncpg() -> Sequence[Scenario]:
    from tests.drivers.asyncpg import (
        copy_scenarios,
        failure_scenarios,
        listener_scenarios,
        pool_scenarios,
        scenarios,
    )
    from tests.drivers.asyncpg import type_scenarios as own_types
    from tests.drivers.postgres import setting_scenarios, type_scenarios

    return (
        *scenarios.SCENARIOS,
        *copy_scenarios.SCENARIOS,
        *listener_scenarios.SCENARIOS,
        *pool_scenarios.SCENARIOS,
        *failure_scenarios.SCENARIOS,
        *own_types.SCENARIOS,
        type_scenarios.asyncpg_types,
        setting_scenarios.asyncpg_settings,
        # The last, for in replay nothing ends the connection: a failed connect after it would be another call of its.
        pool_scenarios.ended_while_idle,
    )


def _psycopg() -> Sequence[Scenario]:
    from tests.drivers.postgres import async_scenarios, setting_scenarios, type_scenarios
    from tests.drivers.psycopg import (
        copy_scenarios,
        cursor_scenarios,
        failure_scenarios,
        notify_scenarios,
        pipeline_scenarios,
        scenarios,
    )

    return (
        failure_scenarios.refused_connects,
        failure_scenarios.refused_connects_async,
        failure_scenarios.lost,
        failure_scenarios.cancelled,
        failure_scenarios.cancelled_async,
        failure_scenarios.conflicts,
        scenarios.values,
        scenarios.errors,
        scenarios.many,
        scenarios.many_failing,
        scenarios.cursors,
        scenarios.warm_pool,
        scenarios.cold_pool,
        scenarios.gathered,
        scenarios.given_up,
        scenarios.threads,
        scenarios.settings,
        scenarios.piece_by_piece,
        cursor_scenarios.server_cursors,
        cursor_scenarios.server_cursors_async,
        cursor_scenarios.streams,
        cursor_scenarios.streams_async,
        copy_scenarios.copies,
        copy_scenarios.broken_copies,
        copy_scenarios.left_early,
        copy_scenarios.copies_async,
        notify_scenarios.notifications,
        notify_scenarios.notifications_async,
        pipeline_scenarios.pipelines,
        pipeline_scenarios.pipelines_async,
        pipeline_scenarios.two_phases,
        pipeline_scenarios.looked_up_types,
        pipeline_scenarios.several_statements,
        *async_scenarios.SCENARIOS,
        type_scenarios.psycopg_types,
        type_scenarios.psycopg_registered_types,
        setting_scenarios.psycopg_settings,
    )


def main(programs: str, part: str, dsn: str) -> None:
    with trace.get_tracer("tests").start_as_current_span(programs):
        for program in programs.split(","):
            for scenario in scenarios(program):
                sys.modules[scenario.__module__].__dict__["PART"] = part
                given = _given(scenario(dsn), program.endswith("uvloop"))
                print(json.dumps([f"{program} {scenario.__module__}:{scenario.__name__}", repr(given)]), flush=True)
    assert not guard.failures, guard.failures


def _given(given: Any, on_uvloop: bool) -> Any:
    return _finish(given, on_uvloop) if inspect.iscoroutine(given) else given


def _finish(work: Coroutine[Any, Any, Any], on_uvloop: bool) -> Any:
    if not on_uvloop:
        return asyncio.run(work)
    import uvloop

    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
