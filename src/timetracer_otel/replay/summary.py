"""What came of several replays, as a value: one result per segment, the counts, the worst."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from timetracer_otel.replay.report import FORMAT, Report

Ending: TypeAlias = Literal["same", "deviates", "inconclusive", "failed"]
"""`failed`: it could not be replayed, as with a damaged file."""
ENDINGS: Final[tuple[Ending, ...]] = ("deviates", "failed", "inconclusive", "same")
"""The worst first: what is proven comes before what could not be looked at."""
EXIT: Final[Mapping[Ending, int]] = {"deviates": 1, "failed": 2, "inconclusive": 3, "same": 0}


@dataclass(frozen=True, slots=True)
class Result:
    """Of one segment; of a whole file where that could not be opened."""

    name: str
    """For people: `<trace prefix>/<root span prefix>`, or the path of what could not be opened."""
    report: Report | None = None
    problem: str = ""
    """Why there is no report, in one line."""
    duration_s: float = 0.0

    @property
    def ending(self) -> Ending:
        return "failed" if self.report is None else self.report.verdict

    def to_json(self) -> dict[str, Any]:
        """The report, or what stands for it where there is none."""
        if self.report is not None:
            return self.report.to_json()
        return {"report": FORMAT, "cassette": self.name, "segment": None, "verdict": "failed", "problem": self.problem}


@dataclass(frozen=True, slots=True)
class Summary:
    results: tuple[Result, ...]
    left_out: int = 0
    """Segments without a recorded request: `exec` replays them."""
    not_run: int = 0
    """Cassettes that an interrupt has left."""

    @property
    def counts(self) -> Mapping[Ending, int]:
        """By ending, the worst first, each of them."""
        found = Counter(each.ending for each in self.results)
        return {ending: found[ending] for ending in ENDINGS}

    @property
    def worst(self) -> Ending:
        return next((ending for ending, count in self.counts.items() if count), "same")

    @property
    def exit_code(self) -> int:
        """1 where one deviates, else 2 where one could not be replayed, else 3 where one is inconclusive, else 0."""
        return EXIT[self.worst]

    def to_json(self) -> dict[str, Any]:
        """The schema of `--json` with `--all`. No times: equal replays give equal bytes."""
        return {
            "report": FORMAT,
            "verdict": self.worst,
            "counts": dict(self.counts),
            "left_out": self.left_out,
            "not_run": self.not_run,
            "replays": [each.to_json() for each in self.results],
        }


def ordered(results: Iterable[Result]) -> tuple[Result, ...]:
    """The worst first, else by name: the order in which they ended is chance."""
    return tuple(sorted(results, key=_place))


def _place(result: Result) -> tuple[int, str, str]:
    return ENDINGS.index(result.ending), result.name, result.report.cassette if result.report else result.problem


def found_in(results: Sequence[Result]) -> list[Result]:
    """Those that are not the same."""
    return [each for each in results if each.ending != "same"]


def counted(counts: Mapping[Ending, int]) -> str:
    """`1 deviates, 298 same`"""
    return ", ".join(f"{count} {ending}" for ending, count in counts.items() if count) or "nothing was replayed"
