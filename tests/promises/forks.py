"""Replays many cassettes, each in a forked process of its own: `python -m tests.promises.forks`.

Lines of paths on stdin, a report for each on stdout. A fork starts where a fresh process stands after its imports, so
that a mutant costs a fraction of a second; what comes then is what `timetracer-otel replay` does, namespace included.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from subprocess import PIPE
from typing import Any, NoReturn

import psycopg_pool
import time_machine
from opentelemetry.instrumentation import auto_instrumentation, psycopg, starlette
from starlette import applications

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.replay import bootstrap, child, isolation, launch, report
from timetracer_otel.replay.journal import Event, Reader
from timetracer_otel.store import Store

PRELOADED = (psycopg_pool, time_machine, auto_instrumentation, psycopg, starlette, applications, bootstrap)
DRAIN_S = 5.0


class Farm:
    """Processes that fork, asked from tests. Several, since a replay that deviates waits for what may still come."""

    def __init__(self, size: int, cwd: Path, environment: Mapping[str, str]) -> None:
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._size = size
        for _ in range(size):
            self._idle.put(_forking(cwd, environment))

    def replay(self, paths: Iterable[Path]) -> list[dict[str, Any]]:
        """The report on each cassette's only segment."""
        with ThreadPoolExecutor(self._size) as pool:
            return list(pool.map(self._replay, paths))

    def _replay(self, path: Path) -> dict[str, Any]:
        process = self._idle.get()
        assert process.stdin is not None
        assert process.stdout is not None
        print(path, file=process.stdin, flush=True)
        found: dict[str, Any] = json.loads(process.stdout.readline())
        self._idle.put(process)
        return found

    def stop(self) -> None:
        for _ in range(self._size):
            self._idle.get().communicate()


def _forking(cwd: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.promises.forks"]
    return subprocess.Popen(command, cwd=cwd, env=environment, stdin=PIPE, stdout=PIPE, text=True)


def main() -> None:
    for line in sys.stdin:
        cassette, _ = Store(".").open_cassette(line.rstrip("\n"))
        (segment,) = cassette.segments
        events = _events(cassette, segment)
        print(json.dumps(report.build(cassette, segment, events).to_json()), flush=True)


def _events(cassette: Cassette, segment: Segment) -> list[Event]:
    with tempfile.TemporaryDirectory() as folder:
        pipe, (start, go) = f"{folder}/journal", os.pipe()
        forked = os.fork()  # before the reader's thread: a fork of a process with threads is a risk
        if forked == 0:
            os.read(start, 1)
            _become(launch.entry(cassette.path, segment, None, os.environ, pipe))
        reader = Reader(pipe)
        os.write(go, b"!")
        os.waitpid(forked, 0)
        for end in (start, go):
            os.close(end)
        return reader.finish(DRAIN_S)


def _become(how: launch.Launch) -> NoReturn:
    """The replaying process, from where `isolation`, the launcher and `child` are imported already."""
    status = 1
    try:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        os.environ.clear()
        os.environ.update(how.environment)
        os.environ[isolation.VARIABLE] = isolation.NAMESPACE if isolation.isolate() else isolation.GUARDS
        os.chdir(how.folder)
        auto_instrumentation.initialize()
        status = child.main()
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001  nothing of the child may run on in the parent's loop
        traceback.print_exc()
    os._exit(status)


if __name__ == "__main__":
    main()
