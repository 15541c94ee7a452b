"""What came of many replays, for people: what is not the same in full, then a line for each, then the counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from timetracer_otel.cassette.escaping import safe
from timetracer_otel.replay.summary import Result, Summary, counted, found_in
from timetracer_otel.replay.text import ran_in, render, verdict_line

FULL_MAX: Final = 10
"""Reports that are printed whole; of the others their last line says enough to choose one."""
LINES_MAX: Final = 200


def render_all(summary: Summary, duration_s: float) -> str:
    """Ends with a newline."""
    found = found_in(summary.results)
    full = [render(each.report) for each in found if each.report is not None][:FULL_MAX]
    blocks = [*(f"{each}\n" for each in full), _lines(found), _end(summary, duration_s)]
    return "".join(blocks)


def line(result: Result) -> str:
    """One line without a newline."""
    if result.report is not None:
        return verdict_line(result.report)
    named = result.problem if result.problem.startswith(result.name) else f"{result.name}: {result.problem}"
    return f"failed  {safe(named)}"


def _lines(found: Sequence[Result]) -> str:
    shown = [line(each) for each in found[:LINES_MAX]]
    more = [f"and {len(found) - LINES_MAX} more"] if len(found) > LINES_MAX else []
    return "".join(f"{each}\n" for each in [*shown, *more]) + ("\n" if found else "")


def _end(summary: Summary, duration_s: float) -> str:
    total = len(summary.results)
    lines = [f"{total} replayed in {duration_s:.1f} s: {counted(summary.counts)}"]
    folders = dict.fromkeys(each.report.folder for each in summary.results if each.report is not None)
    lines += [ran_in(folder) for folder in folders if folder]
    if summary.left_out:
        lines.append(f"{summary.left_out} left out: no request was recorded that could be made again (see `exec`)")
    if summary.not_run:
        lines.append(f"{summary.not_run} not replayed: interrupted")
    return "".join(f"{each}\n" for each in lines)
