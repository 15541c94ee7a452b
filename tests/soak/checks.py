"""What must hold of a run. What depends on how fast the machine is stands apart: only the script asks for it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.soak.contestants import Contestant
from tests.soak.session import Outcome

MEMORY_MAX_MIB: Final = 300
GROWTH_MAX: Final = 0.1
"""Of what is resident, from the second third of a run to the last one: medians. A document or two more may be under way
in one of them."""
LAG_MAX_MS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    holds: bool
    said: str


def checks(outcome: Outcome) -> list[Check]:
    return [
        _answers(outcome),
        _spans(outcome),
        _losses(outcome),
        _doctor(outcome),
        Check("peak of memory", outcome.peak_mib < MEMORY_MAX_MIB, f"{outcome.peak_mib:.0f} of {MEMORY_MAX_MIB} MiB"),
    ]


def timed_checks(outcome: Outcome) -> list[Check]:
    return [_flat(outcome), _lag(outcome)]


def _answers(outcome: Outcome) -> Check:
    wrong = outcome.plain.wrong + outcome.recorded.wrong
    return Check("answers", not wrong, f"{len(outcome.recorded.made)} to each, {len(wrong)} wrong {wrong[:3] or ''}")


def _spans(outcome: Outcome) -> Check:
    plain, recorded = outcome.spans
    missing, more = plain - recorded, recorded - plain
    said = f"{plain.total()} under plain OpenTelemetry, {recorded.total()} recorded"
    if missing or more:
        said += f"; missing {missing.total()}: {list(missing)[:3]}; more {more.total()}: {list(more)[:3]}"
    return Check("spans at the other exporter", plain == recorded and plain.total() > 0, said)


def _losses(outcome: Outcome) -> Check:
    """Each request is recorded whole, or counted: it, or its payload."""
    account, made = outcome.account, len(outcome.recorded.made)
    children = sum(ask.kind == "fork" for ask in outcome.recorded.made)
    counted = ", ".join(f"{reason} {count}" for reason, count in sorted(account.counted.items())) or "none"
    said = (
        f"{len(account.requests)} of {made} requests recorded, {account.seen.total()} payloads missing; counted: "
        f"{counted}; {account.children} parts of {children} children recorded"
    )
    return Check("drops equal the counter", account.unaccounted(made, children) == 0, said)


def _doctor(outcome: Outcome) -> Check:
    return Check("doctor says so", outcome.doctor == outcome.last, f"{dict(outcome.doctor)} since there is room again")


def _flat(outcome: Outcome) -> Check:
    samples = outcome.recorded.memory_mib
    third = len(samples) // 3
    second, last = statistics.median(samples[third : 2 * third]), statistics.median(samples[2 * third :])
    said = f"{second:.0f} MiB in the second third, {last:.0f} MiB in the last one, at most {GROWTH_MAX:.0%} more"
    return Check("memory is flat", last <= second * (1 + GROWTH_MAX), said)


def _lag(outcome: Outcome) -> Check:
    """The first round of each loads what is imported late."""
    plain, recorded = _p99s_ms(outcome.plain), _p99s_ms(outcome.recorded)
    added = statistics.median(mine - its for mine, its in zip(recorded, plain, strict=True))
    said = (
        f"p99 {statistics.median(plain):.2f} ms plain, {statistics.median(recorded):.2f} ms recorded; "
        f"{added:+.2f} ms, at most {LAG_MAX_MS:+.0f} ms (medians of {len(plain)} rounds)"
    )
    return Check("event loop lag", added <= LAG_MAX_MS, said)


def _p99s_ms(one: Contestant) -> Sequence[float]:
    return [statistics.quantiles(lags, n=100)[98] for lags in one.rounds_ms[1:]]
