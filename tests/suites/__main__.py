"""`python -m tests.suites NAME|all [--rounds 3]`: exit code 1 where a test sees that the taps are in."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.suites import sources
from tests.suites.judgement import Judgement, judge
from tests.suites.runs import Place, Run, run
from tests.suites.suite import Suite

LIBRARIES = sorted(each.stem for each in (Path(__file__).parent / "libraries").glob("[!_]*.py"))
ALL = "all"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/driver-suites", description="The own tests of a library, with taps.")
    parser.add_argument("library", choices=[*LIBRARIES, ALL])
    parser.add_argument("--rounds", type=int, default=3, help="how often all tests run in each of the two ways")
    parser.add_argument("--only", nargs="+", default=[], help="tests, as pytest names them; else all")
    chosen = parser.parse_args(arguments)
    if chosen.library != ALL:
        return judge_library(chosen.library, chosen.rounds, chosen.only)
    if chosen.only:
        parser.error("--only names the tests of one library")
    return judge_each(LIBRARIES, lambda library: judge_library(library, chosen.rounds, []))


def judge_each(libraries: Sequence[str], judged: Callable[[str], int]) -> int:
    """The worst exit code. A library whose tests do not run is as bad as one that differs, and the next one follows."""
    codes = dict[str, int]()
    for library in libraries:
        print(f"== {library}", flush=True)
        try:
            codes[library] = judged(library)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"its tests did not run: {error}", flush=True)
            codes[library] = 1
    print("\n".join(f"{library}: {'NOT the same' if code else 'no difference'}" for library, code in codes.items()))
    return max(codes.values())


def judge_library(library: str, rounds: int, only: Sequence[str]) -> int:
    """The exit code. Raises AssertionError, OSError or SubprocessError where the tests do not run."""
    suite: Suite = importlib.import_module(f"tests.suites.libraries.{library}").SUITE
    with tempfile.TemporaryDirectory(prefix="suite-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # servers that run as somebody else read certificates in it
        packages = sources.install(suite.requirements, folder / "packages")
        (folder / "run").mkdir()
        tests = sources.unpack(suite, folder)
        return compare(Place(suite, tests, packages), rounds, only)


def compare(place: Place, rounds: int, only: Sequence[str]) -> int:
    """Both ways in turn. What differs runs once more by itself: chance is not taken for a difference."""
    plain, tapped = _alternating(place, rounds, only)
    found = judge([each.outcomes for each in plain], [each.outcomes for each in tapped])
    if found.differences:
        print(f"{len(found.differences)} tests differ: once more by themselves", flush=True)
        again_plain, again_tapped = _alternating(place, rounds, list(found.differences))
        found = _confirmed(
            found, judge([each.outcomes for each in again_plain], [each.outcomes for each in again_tapped])
        )
        tapped += again_tapped
    return _say(place.suite, found, tapped)


def _alternating(place: Place, rounds: int, only: Sequence[str]) -> tuple[list[Run], list[Run]]:
    plain, tapped = list[Run](), list[Run]()
    for number in range(rounds):
        for taps, runs in ((False, plain), (True, tapped)):
            runs.append(run(place, taps, only))
            way = "with taps" if taps else "plain OpenTelemetry"
            print(f"round {number + 1} of {rounds}, {way}: {len(runs[-1].outcomes)} tests", flush=True)
    return plain, tapped


def _confirmed(first: Judgement, again: Judgement) -> Judgement:
    """A difference counts where it shows again; a test that differed once and then never is unstable."""
    differences = {test: came for test, came in first.differences.items() if test in again.differences}
    passing = {test: came for test, (_, came) in first.differences.items() if test not in again.differences}
    return Judgement(first.stable - len(passing), {**first.unstable, **passing}, differences)


def _say(suite: Suite, found: Judgement, tapped: Sequence[Run]) -> int:
    failures = dict(sum((Counter(each.failures) for each in tapped), Counter()))
    dropped = dict(sum((Counter(each.dropped) for each in tapped), Counter()))
    print(f"{suite.distribution}: {found.stable} tests come to the same each time under plain OpenTelemetry")
    for path, reason in suite.ignored.items():
        print(f"  left out   {path}: {reason}")
    for test, came in found.unstable.items():
        print(f"  set aside  {test}: {' | '.join(came)}")
    for test, (expected, seen) in found.differences.items():
        print(f"  DIFFERENT  {test}: {expected}; with taps: {' | '.join(seen)}")
    exchanges = min((each.exchanges for each in tapped), default=0)
    print(f"  recorded   {exchanges} exchanges in a run, at least; without payload: {dropped or 'none'}")
    print(f"  failures   of the taps, not noticed by any test: {'' if failures else 'none'}")
    for failure, count in failures.items():
        print(f"             {count} of {failure}")
    is_good = not found.differences and not failures and exchanges > 0
    print("no difference" if is_good else "NOT the same with the taps in")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
