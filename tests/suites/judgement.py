"""What differs between runs under plain OpenTelemetry and runs with the taps in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Outcomes: TypeAlias = Mapping[str, str]
"""What came of each test."""
ABSENT = "did not run"


@dataclass(frozen=True, slots=True)
class Judgement:
    stable: int
    """Tests that came to the same under plain OpenTelemetry each time."""
    unstable: Mapping[str, Sequence[str]]
    """The others, which say nothing, and what came of them."""
    differences: Mapping[str, tuple[str, Sequence[str]]]
    """Stable tests of which something else came with the taps in: what to expect, and what came."""


def judge(plain: Sequence[Outcomes], tapped: Sequence[Outcomes]) -> Judgement:
    """Of each test that any run knows."""
    found = {test: _came(plain, test) for test in _tests([*plain, *tapped])}
    unstable = {test: came for test, came in found.items() if len(set(came)) > 1}
    expected = {test: came[0] for test, came in found.items() if test not in unstable}
    differences = {
        test: (outcome, _came(tapped, test))
        for test, outcome in expected.items()
        if set(_came(tapped, test)) != {outcome}
    }
    return Judgement(len(expected), unstable, differences)


def _came(runs: Iterable[Outcomes], test: str) -> list[str]:
    return [run.get(test, ABSENT) for run in runs]


def _tests(runs: Iterable[Outcomes]) -> list[str]:
    return list(dict.fromkeys(test for run in runs for test in run))
