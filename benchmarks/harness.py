"""An interleaved race between contestants, one live worker process each.

The parent lets one worker at a time run a batch, the order turning and reversing every round, and divides each
contestant's time by the base's of the same round: what the machine does meanwhile hits both. A figure is the median
of those ratios, with the quartiles beside it. Time is operation plus flush: the cost of writing cassettes is in it.

A benchmark file calls `main(CASES, __file__)`.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from results import Figure, quartiles, ratios, tell

Run = Callable[[int], None]
Flush = Callable[[], object]
Times: TypeAlias = "list[tuple[float, float]]"
"""Seconds of wall and of CPU time for one operation, by round."""

TRACE = 20
"""Operations under one local root span, that is, in one cassette."""
ROUNDS = 41
FOLDER = "BENCH_FOLDER"
"""Set by a run of several rows: where their folders are, and deleted in the end."""
COUNTED = "BENCH_COUNTED"
"""Set where a worker runs under Valgrind: what is timed is what it counts."""


def nothing() -> None:
    """The flush of a contestant that has nothing to flush."""


def new_folder() -> str:
    """A temporary one, gone when the whole run ends.

    Not before: for minutes after many files were deleted, ext4 takes ten times as long to make a new one.
    """
    whole = os.environ.get(FOLDER)
    folder = tempfile.mkdtemp(prefix="timetracer-bench-", dir=whole)
    if whole is None:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def not_prepared(count: int) -> None:
    """The preparation of a contestant that needs none."""


class Contestant(NamedTuple):
    """`run` does so many operations, `flush` ends them. `prepare` is told before the clock starts how many come."""

    run: Run
    flush: Flush = nothing
    prepare: Run = not_prepared


Setup: TypeAlias = "Callable[[], Contestant | tuple[Run, Flush]]"


@dataclass(frozen=True)
class Case:
    """Contestants by name; ratios are taken to `base`."""

    base: str
    contestants: Mapping[str, Setup]
    goals: Mapping[str, float]
    """The ratio that a contestant should stay under."""
    step: int = TRACE
    """A batch is a multiple of so many operations."""
    most: int = 1 << 20
    """Operations that a contestant can do in all its rounds together: a recording has no more."""
    by_cpu: bool = False
    """Goals are of CPU time: of a few percent, the wall clock of a shared machine says nothing."""


# ---- worker ----------------------------------------------------------------------------------------------------------


def work(setup: Setup, channel: socket.socket) -> None:
    contestant = Contestant(*setup())
    timed(contestant, 1)
    channel.sendall(b"ready\n")
    for line in channel.makefile("rb"):
        count = int(line)
        if count < 0:
            break
        channel.sendall(json.dumps(timed(contestant, count)).encode() + b"\n")
    sys.exit()  # not os._exit: what a contestant started ends with it


def timed(contestant: Contestant, count: int) -> tuple[float, float]:
    """Seconds of wall and of CPU time for one operation, flush included."""
    contestant.prepare(count)
    gc.collect()
    is_counted = COUNTED in os.environ
    if is_counted:
        gc.disable()  # when it runs depends on what was before
        callgrind("--zero")
        callgrind("--instr=on")
    cpu, wall = time.process_time(), time.perf_counter()
    contestant.run(count)
    contestant.flush()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if is_counted:
        callgrind("--instr=off")
        gc.enable()
    return wall / count, cpu / count


def callgrind(command: str) -> None:
    """Tells the Valgrind that runs this process."""
    subprocess.run(["callgrind_control", command, str(os.getpid())], check=True, capture_output=True)


class Worker:
    """`prefix` is a command that runs the worker's."""

    def __init__(
        self, file: str, case: str, name: str, prefix: Sequence[str] = (), environ: Mapping[str, str] | None = None
    ) -> None:
        self.socket, other = socket.socketpair()
        self.answers = self.socket.makefile("rb")
        command = [*prefix, sys.executable, file, "--worker", case, name, str(other.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[other.fileno()], env={**os.environ, **(environ or {})})
        other.close()
        if self.answers.readline() != b"ready\n":
            raise SystemExit(f"{case}, {name}: the worker did not start, see above")

    def go(self, count: int) -> tuple[float, float]:
        self.socket.sendall(b"%d\n" % count)
        wall, cpu = json.loads(self.answers.readline())
        return wall, cpu

    def stop(self) -> None:
        self.socket.sendall(b"-1\n")
        self.process.wait(20)


# ---- race ------------------------------------------------------------------------------------------------------------


def race(file: str, name: str, case: Case, rounds: int, batch_s: float) -> None:
    most = (case.most - 1) // (rounds + 1) // case.step * case.step  # the first is one, and there is one batch more
    if not most:
        raise SystemExit(f"{name}: at most {(case.most - 1) // case.step - 1} rounds")
    workers = {contestant: Worker(file, name, contestant) for contestant in case.contestants}
    count = min(most, calibrate(workers[case.base], batch_s, case.step))
    for worker in workers.values():
        worker.go(count)
    times = run_rounds(workers, count, rounds)
    for worker in workers.values():
        worker.stop()
    for contestant, rows in times.items():
        tell(figure(name, contestant, rows, times[case.base], case))


def calibrate(worker: Worker, batch_s: float, step: int) -> int:
    """How many operations fill a batch, a multiple of `step`."""
    count = 1
    while (total := worker.go(count)[0] * count) < batch_s and count < 1 << 20:
        count = max(count + 1, min(count * 8, int(count * batch_s / max(total, 1e-9)) + 1))
    return max(step, -(-count // step) * step)


def run_rounds(workers: Mapping[str, Worker], count: int, rounds: int) -> dict[str, Times]:
    names = list(workers)
    times: dict[str, Times] = {name: [] for name in names}
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned if number % 2 else reversed(turned):
            times[name].append(workers[name].go(count))
    return times


def figure(row: str, contestant: str, mine: Times, base: Times, case: Case) -> Figure:
    wall, cpu = (ratios((each[i] for each in mine), (each[i] for each in base)) for i in (0, 1))
    microseconds = statistics.median(each[0] for each in mine) * 1e6
    return Figure(
        row,
        contestant,
        f"{microseconds:.1f} us",
        *quartiles(wall),
        cpu=statistics.median(cpu) if cpu else None,
        goal=case.goals.get(contestant),
        is_by_cpu=case.by_cpu,
    )


def options(about: str | None, rounds: int) -> argparse.Namespace:
    """What every benchmark can be told: `only`, `rounds`, `batch`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("only", nargs="*", help="parts of names of rows; without any: all of them")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--batch", type=float, default=0.03, help="seconds of the base in one batch")
    return parser.parse_args()


def is_wanted(row: str, only: Sequence[str]) -> bool:
    return not only or any(part in row for part in only)


def main(cases: Mapping[str, Case], file: str) -> None:
    if sys.argv[1:2] == ["--worker"]:
        wanted, contestant, fd = sys.argv[2], sys.argv[3], int(sys.argv[4])
        work(cases[wanted].contestants[contestant], socket.socket(fileno=fd))
    asked = options("ratios to the base, medians over rounds", ROUNDS)
    for name, case in cases.items():
        if is_wanted(name, asked.only):
            race(os.path.abspath(file), name, case, asked.rounds, asked.batch)
