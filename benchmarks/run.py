"""Every row of the goals in one run: the benchmark files one after another, each row's contestants interleaved, and one
table of all at the end. A file's server runs while its rows do, and no longer.

`scripts/bench asyncpg S3 --rounds 151` runs the rows whose name holds one of these.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import check
from harness import FOLDER, is_wanted
from results import KEPT, Figure, as_json, kept, summary, table

HERE = Path(__file__).resolve().parent
WITHOUT_GOALS = ("bench_matching", "bench_memory")
"""They run when a row of theirs is asked for."""


def rows_of(file: Path) -> tuple[str, ...]:
    """The names of its rows."""
    module = importlib.import_module(file.stem)
    return tuple(module.CASES) if hasattr(module, "CASES") else tuple(module.ROWS)


def chosen(only: Sequence[str]) -> dict[Path, list[str]]:
    """The files that have a wanted row, with the wanted rows."""
    files = {file: rows_of(file) for file in sorted(HERE.glob("bench_*.py"))}
    if not only:
        return {file: list(rows) for file, rows in files.items() if file.stem not in WITHOUT_GOALS}
    wanted = {file: [row for row in rows if is_wanted(row, only)] for file, rows in files.items()}
    return {file: rows for file, rows in wanted.items() if rows}


def run(files: Iterable[Path], options: Sequence[str], into: Path) -> bool:
    """Whether all of them came to their end. One that does not leaves the others alone."""
    codes = []
    for file in files:
        command = [sys.executable, file, *options]
        codes.append(subprocess.run(command, env={**os.environ, KEPT: str(into)}, check=False).returncode)
        if codes[-1]:
            print(f"{file.name}: ended with {codes[-1]}, see above", file=sys.stderr)
    return not any(codes)


def about(began: float) -> dict[str, str]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "took": f"{(time.time() - began) / 60:.1f} minutes",
    }


def main() -> int:
    """0 if every row was measured, whatever the goals say; of --check, 1 after a regression."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="ROW", help="part of a row's name; without any: every row of a goal")
    parser.add_argument("--list", action="store_true", help="print the names of the rows, run none")
    parser.add_argument("--rounds", type=int, help="of each row, instead of its own number")
    parser.add_argument("--batch", type=float, help="seconds of the base in one batch")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there too")
    check.add_options(parser)
    asked = parser.parse_args()
    if asked.keep:
        check.keep(asked.only)
        return 0
    if asked.check:
        return check.main(asked.only, check.measures()[0])
    files = chosen(asked.only)
    if not files:
        parser.error(f"no row is called like {', '.join(asked.only)}; --list has the names")
    if asked.list:
        print(*(row for rows in files.values() for row in rows), sep="\n")
        return 0
    options = [f"--{name}={value}" for name in ("rounds", "batch") if (value := getattr(asked, name)) is not None]
    began = time.time()
    with tempfile.TemporaryDirectory(prefix="timetracer-bench-") as folder:
        into = Path(folder, "figures.jsonl")
        os.environ[FOLDER] = folder
        is_whole = run(files, [*asked.only, *options], into)
        report(kept(into), about(began), asked.json)
    return 0 if is_whole else 1


def report(figures: Sequence[Figure], run_of: dict[str, str], file: Path | None) -> None:
    print(f"\n{table(figures)}\n\n{summary(figures)}; {', '.join(f'{name} {value}' for name, value in run_of.items())}")
    if file is not None:
        file.write_text(as_json(figures, run_of) + "\n")


if __name__ == "__main__":
    sys.exit(main())
