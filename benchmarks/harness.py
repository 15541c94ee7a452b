"""An interleaved race between contestants, one live worker process each.

The parent lets one worker at a time run a batch, the order turning and reversing every round, and divides each
contestant's time by the base's of the same round: what the machine does meanwhile hits both. A figure is the median
of those ratios, with the quartiles beside it. Time is operation plus flush: the cost of writing cassettes is in it.

A benchmark file calls `main(CASES, __file__)`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Run = Callable[[int], None]
Flush = Callable[[], object]
Setup = Callable[[], tuple[Run, Flush]]

TRACE = 20
"""Operations under one local root span, that is, in one cassette."""


@dataclass(frozen=True)
class Case:
    """Contestants by name; ratios are taken to `base`."""

    base: str
    contestants: Mapping[str, Setup]
    goal: float | None = None
    """The ratio of `recorded` that we want to stay under."""


def nothing() -> None:
    """The flush of a contestant that has nothing to flush."""


# ---- worker ----------------------------------------------------------------------------------------------------------


def work(setup: Setup, channel: socket.socket) -> None:
    run, flush = setup()
    run(1)
    flush()
    channel.sendall(b"ready\n")
    for line in channel.makefile("rb"):
        count = int(line)
        if count < 0:
            break
        channel.sendall(json.dumps(timed(run, flush, count)).encode() + b"\n")
    sys.exit()  # not os._exit: what a contestant started ends with it


def timed(run: Run, flush: Flush, count: int) -> tuple[float, float]:
    """Seconds of wall and of CPU time for one operation, flush included."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run(count)
    flush()
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


class Worker:
    def __init__(self, file: str, case: str, name: str) -> None:
        self.socket, other = socket.socketpair()
        self.answers = self.socket.makefile("rb")
        command = [sys.executable, file, "--worker", case, name, str(other.fileno())]
        self.process = subprocess.Popen(command, pass_fds=[other.fileno()])
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
    workers = {contestant: Worker(file, name, contestant) for contestant in case.contestants}
    count = calibrate(workers[case.base], batch_s)
    for worker in workers.values():
        worker.go(count)
    times = run_rounds(workers, count, rounds)
    for worker in workers.values():
        worker.stop()
    for contestant, rows in times.items():
        print_row(name, contestant, rows, times[case.base], case.goal if contestant == "recorded" else None)


def calibrate(worker: Worker, batch_s: float) -> int:
    """How many operations fill a batch, in whole traces."""
    count = 1
    while (total := worker.go(count)[0] * count) < batch_s and count < 1 << 20:
        count = max(count + 1, min(count * 8, int(count * batch_s / max(total, 1e-9)) + 1))
    return max(TRACE, -(-count // TRACE) * TRACE)


def run_rounds(workers: Mapping[str, Worker], count: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    names = list(workers)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned if number % 2 else reversed(turned):
            times[name].append(workers[name].go(count))
    return times


def print_row(
    case: str, name: str, rows: list[tuple[float, float]], base: list[tuple[float, float]], goal: float | None
) -> None:
    wall = [mine[0] / its[0] for mine, its in zip(rows, base, strict=True)]
    cpu = [mine[1] / its[1] for mine, its in zip(rows, base, strict=True) if its[1]]
    low, _, high = statistics.quantiles(wall, n=4)
    microseconds = statistics.median(row[0] for row in rows) * 1e6
    line = f"{case:28s} {name:10s} {microseconds:9.1f} us  x{statistics.median(wall):.2f} [{low:.2f}-{high:.2f}]"
    if cpu:  # a contestant that only waits for another process burns next to none
        line += f"  cpu x{statistics.median(cpu):.2f}"
    if goal is not None:
        line += f"  goal {goal:.2f}: {'reached' if statistics.median(wall) <= goal else 'missed'}"
    print(line, flush=True)


def main(cases: Mapping[str, Case], file: str) -> None:
    if sys.argv[1:2] == ["--worker"]:
        case, name, fd = sys.argv[2], sys.argv[3], int(sys.argv[4])
        work(cases[case].contestants[name], socket.socket(fileno=fd))
    parser = argparse.ArgumentParser(description="ratios to the base, medians over rounds")
    parser.add_argument("only", nargs="?", default="", help="part of a case's name")
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--batch", type=float, default=0.03, help="seconds of the base in one batch")
    options = parser.parse_args()
    for name, case in cases.items():
        if options.only in name:
            race(os.path.abspath(file), name, case, options.rounds, options.batch)
