"""A race of commands: each a fresh process, interleaved, the order reversing every round."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from results import Figure, quartiles, ratios, tell

Runs = dict[str, list["Run"]]
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
BYTECODE = "PYTHONPYCACHEPREFIX"


class Run(NamedTuple):
    """Seconds of wall and of CPU time, and the peak of memory, of a process and of those that it waited for."""

    wall: float
    cpu: float
    peak_mib: float


class Command(NamedTuple):
    arguments: Sequence[str]
    environ: Mapping[str, str] | None = None
    folder: Path | None = None


def once(command: Command) -> Run:
    """Raises CalledProcessError if it does not exit with 0. What it prints is thrown away, but for its errors."""
    began = time.perf_counter()
    with subprocess.Popen(
        command.arguments, env=command.environ, cwd=command.folder, stdout=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command.arguments)
    return Run(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def keep_bytecode(folder: Path) -> None:
    """In that folder, by the commands to come: an installation has compiled its modules, and a source tree without
    bytecode, or with a stale one, is compiled by each process."""
    os.environ.pop(NO_BYTECODE, None)
    os.environ[BYTECODE] = str(folder / "bytecode")


def race(commands: Mapping[str, Command], rounds: int) -> Runs:
    """After a round that is not counted, which warms the disk cache and compiles."""
    runs: Runs = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in list(commands) if number % 2 else reversed(commands):
            found = once(commands[name])
            if number:
                runs[name].append(found)
    return runs


def tell_times(row: str, runs: Runs, goals: Mapping[str, float]) -> None:
    """The first of them is the base."""
    base, *_ = runs.values()
    for name, mine in runs.items():
        wall, cpu = (ratios([each[i] for each in mine], [each[i] for each in base]) for i in (0, 1))
        took = f"{statistics.median(each.wall for each in mine) * 1e3:.0f} ms"
        tell(Figure(row, name, took, *quartiles(wall), cpu=statistics.median(cpu), goal=goals.get(name)))


def tell_peaks(row: str, runs: Runs, goals: Mapping[str, float]) -> None:
    """The first of them is the base."""
    base, *_ = runs.values()
    for name, mine in runs.items():
        peaks = ratios([each.peak_mib for each in mine], [each.peak_mib for each in base])
        took = f"{statistics.median(each.peak_mib for each in mine):.0f} MiB"
        tell(Figure(row, name, took, *quartiles(peaks), goal=goals.get(name)))
