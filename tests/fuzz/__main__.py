"""`scripts/fuzz [--seconds N] [--engine ENGINE] [TARGET ...]`: exit code 1 if a target is wrong about an input."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutations import inputs
from tests.fuzz.targets import TARGETS

ENGINES: Final = ("hypothesis", "atheris")
EXAMPLES: Final = 200
"""Between two looks at the clock."""
MAX_BYTES: Final = 8192


def main() -> int:
    asked = _arguments()
    engines = ENGINES if asked.engine == "both" else (asked.engine,)
    if "atheris" in engines and importlib.util.find_spec("atheris") is None:
        if asked.engine == "atheris":
            print("atheris is not installed: pip install atheris (Linux and macOS)", file=sys.stderr)
            return 2
        print("atheris is not installed: hypothesis alone")
        engines = ("hypothesis",)
    wrong = [
        f"{name} ({engine})"
        for name in asked.targets or TARGETS
        for engine in engines
        if _is_wrong(name, engine, asked.seconds)
    ]
    print(f"wrong: {', '.join(wrong)}" if wrong else "nothing found")
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; without any, all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target and engine (60)")
    parser.add_argument("--engine", choices=("both", *ENGINES), default="both")
    asked = parser.parse_args()
    if unknown := [name for name in asked.targets if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    return asked


def _is_wrong(name: str, engine: str, seconds: float) -> bool:
    began_s = time.monotonic()
    tried, is_wrong = _by_hypothesis(name, seconds) if engine == "hypothesis" else _by_atheris(name, seconds)
    took = f"{time.monotonic() - began_s:.0f} s"
    print(f"{name:16} {engine:10} {tried:>9} inputs {took:>6}  {'WRONG' if is_wrong else 'ok'}", flush=True)
    return is_wrong


def _by_hypothesis(name: str, seconds: float) -> tuple[int, bool]:
    """How many inputs were tried, and whether one was found; the smallest such one is printed."""
    target, until_s, tried = TARGETS[name], time.monotonic() + seconds, 0

    # On a CI system hypothesis gives the same examples each time, unless it is told not to.
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target.seeds()))
    def try_one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        target.run(data)

    while time.monotonic() < until_s:
        try:
            try_one()
        except BaseException as error:  # noqa: BLE001  whatever it is, it is what was looked for
            print("".join(traceback.format_exception(error)))
            return tried, True
    return tried, False


def _by_atheris(name: str, seconds: float) -> tuple[int, bool]:
    """In a process of its own, which libFuzzer ends."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(TARGETS[name].seeds()):
            Path(folder, f"seed-{number}").write_bytes(seed[:MAX_BYTES])
        options = [f"-max_total_time={seconds:.0f}", f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/found-"]
        command = [sys.executable, "-m", "tests.fuzz.covered", name, *options, "-print_final_stats=1", folder]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = done.stdout + done.stderr
        for found in sorted(Path(folder).glob("found-*")):
            print(f"{said[-4000:]}\ninput: {found.read_bytes()!r}")
        counts = [line.rpartition(" ")[2] for line in said.splitlines() if "number_of_executed_units" in line]
    if done.returncode and not counts:
        print(said[-4000:])
    return int(counts[-1]) if counts else 0, done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
