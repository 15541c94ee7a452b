"""Many replays side by side, each in a process of its own; one that cannot run does not stop the others."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from timetracer_otel.cassette.model import Cassette, Segment
from timetracer_otel.errors import TimetracerError
from timetracer_otel.replay import runner
from timetracer_otel.replay.library import entry_of, heads
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.summary import Result, Summary, ordered

Opening = Callable[[str], tuple[Cassette, "str | None"]]
"""A cassette by its path, and the segment that the path names. Raises CassetteError."""
Choosing = Callable[[Cassette], bool]
Placing = Callable[[Cassette, Segment], Options]


@dataclass(frozen=True, slots=True)
class Batch:
    """What all replays have in common."""

    opening: Opening
    choosing: Choosing
    """False for a cassette that is not to be replayed."""
    placing: Placing
    jobs: int
    """How many run at a time."""


@dataclass(frozen=True, slots=True)
class _Done:
    results: tuple[Result, ...] = ()
    left_out: int = 0


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def replay(paths: Sequence[str], batch: Batch, done: Callable[[], None] = lambda: None) -> tuple[Summary, bool]:
    """What came of every cassette, and whether it was interrupted: then of those that had ended by then.

    `done` is called after each cassette, in this thread.
    """
    stopped, was_interrupted = threading.Event(), False
    with ThreadPoolExecutor(batch.jobs, "timetracer-replay") as pool:
        futures = [pool.submit(_of_cassette, path, batch, stopped) for path in paths]
        try:
            for future in as_completed(futures):
                future.result()
                done()
        except KeyboardInterrupt:
            was_interrupted = True
        finally:
            stopped.set()  # each thread ends its process by itself
            pool.shutdown(cancel_futures=True)
    found = [each.result() for each in futures if not each.cancelled() and each.exception() is None]
    results = ordered(result for each in found for result in each.results)
    return Summary(results, sum(each.left_out for each in found), len(paths) - len(found)), was_interrupted


def _of_cassette(path: str, batch: Batch, stopped: threading.Event) -> _Done:
    try:
        cassette, named = batch.opening(path)
    except (TimetracerError, OSError) as error:
        return _Done((Result(path, problem=str(error)),))
    if not batch.choosing(cassette):
        return _Done()
    segments = [each for each in heads(cassette) if named in (None, each.id)]
    able = [each for each in segments if entry_of(each) is not None]
    results = tuple(_of_segment(cassette, each, batch, stopped) for each in able)
    return _Done(results, len(segments) - len(able))


def _of_segment(cassette: Cassette, segment: Segment, batch: Batch, stopped: threading.Event) -> Result:
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            options = batch.placing(cassette, segment)
            report = runner.replay(cassette, segment, replace(options, output=output.fileno(), stopped=stopped))
        except (TimetracerError, OSError) as error:
            problem = " | ".join(filter(None, [str(error), runner.last_line(output.fileno())]))
            return Result(segment.name, problem=problem, duration_s=time.monotonic() - began_s)
    return Result(segment.name, report, duration_s=time.monotonic() - began_s)
