"""What a row of a benchmark came to: printed as it is found, and kept for the table of a run of many files."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

KEPT = "BENCH_RESULTS"
"""The variable that names the file to which each figure goes as a line of JSON."""
HEADINGS = ("row", "contestant", "took", "ratio [quartiles]", "CPU", "goal")


@dataclass(frozen=True)
class Figure:
    """`low`, `middle` and `high` are the quartiles of a ratio to the base, or of what `unit` says."""

    row: str
    contestant: str
    took: str
    low: float
    middle: float
    high: float
    cpu: float | None = None
    """The median ratio of CPU time."""
    goal: float | None = None
    is_by_cpu: bool = False
    """The goal is one of CPU time."""
    is_least: bool = False
    """The goal is to be reached from above, as by a rate."""
    unit: str = "x"

    @property
    def verdict(self) -> str:
        """Empty where there is no goal."""
        if self.goal is None:
            return ""
        found = self.cpu if self.is_by_cpu and self.cpu is not None else self.middle
        reached = found >= self.goal if self.is_least else found <= self.goal
        return f"{self.goal:.2f}, {'reached' if reached else 'missed'}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Under `HEADINGS`."""
        ratio = f"{self.unit}{self.middle:.3f} [{self.low:.3f}-{self.high:.3f}]"
        cpu = "" if self.cpu is None else f"x{self.cpu:.3f}"
        return self.row, self.contestant, self.took, ratio, cpu, self.verdict


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Of one value: that one, three times."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else (*values, *values, *values)
    return low, middle, high


def ratios(mine: Iterable[float], base: Iterable[float]) -> list[float]:
    """Round by round, without those in which the base took nothing: one that waits for another process may."""
    return [one / its for one, its in zip(mine, base, strict=True) if its]


def tell(figure: Figure) -> None:
    """Prints it, and keeps it where this process is one of a run."""
    row, contestant, took, ratio, cpu, verdict = figure.cells
    line = f"{row:36s} {contestant:20s} {took:>12s}  {ratio:24s}"
    print(line + (f"  cpu {cpu}" if cpu else "") + (f"  goal {verdict}" if verdict else ""), flush=True)
    if KEPT in os.environ:
        with Path(os.environ[KEPT]).open("a") as file:
            file.write(f"{json.dumps(asdict(figure))}\n")


def kept(file: Path) -> list[Figure]:
    """What was told so far."""
    return [Figure(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []


def table(figures: Iterable[Figure]) -> str:
    """Markdown, a line for each figure."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(figure.cells for figure in figures)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def summary(figures: Sequence[Figure]) -> str:
    """One line: how many goals there are, how many are reached."""
    verdicts = [figure.verdict for figure in figures if figure.verdict]
    reached = sum(verdict.endswith("reached") for verdict in verdicts)
    return f"{reached} of {len(verdicts)} goals reached"


def as_json(figures: Iterable[Figure], about: Mapping[str, str]) -> str:
    """All that is known of a run."""
    rows = [{**asdict(figure), "verdict": figure.verdict} for figure in figures]
    return json.dumps({**about, "figures": rows}, indent=2)
