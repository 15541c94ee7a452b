"""Real processes that record into a store: they live until they are killed, and leave what they have begun."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEGIN = """
import os, sys, time
from dataclasses import replace
from tests.cassette.samples import PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query
from timetracer_otel.cassette import Process, dump_exchange, dump_part
from timetracer_otel.store import Store

def spooled(store, trace_id, process_id, count, number=0, root_id=ROOT_ID):
    spool = store.pending(process_id).spool(trace_id, root_id, number)
    head = part(number, trace_id=trace_id, segment=root_id, process=replace(PROCESS, id=process_id))
    spool.append(dump_part(head, []))
    for n in range(count):
        spool.append(dump_exchange(query(n)))
    return spool

store = Store(sys.argv[1])
"""
WAIT = """
print("ready", flush=True)
sys.stdin.read()
"""
TIME_LIMIT_S = 60
PROJECT = Path(__file__).parents[2]
"""Where the program finds our samples."""


@contextmanager
def living(root: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has run `program` and lives; killed with kill -9 at the end."""
    command = [sys.executable, "-c", BEGIN + program + WAIT, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def killed(root: Path, program: str) -> None:
    """Runs `program` in a process that is then killed."""
    with living(root, program):
        pass


def run(root: Path, program: str) -> str:
    """What `program` prints, run to its end in a process of its own."""
    command = [sys.executable, "-c", BEGIN + program, str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIME_LIMIT_S, check=True, cwd=PROJECT)
    return done.stdout.strip()
