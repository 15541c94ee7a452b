"""The transactions of a segment: which requests are inside of each, its savepoints, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from timetracer_otel.cassette import Exchange, Segment
from timetracer_otel.cli.describe import describe, description
from timetracer_otel.drivers.base import Bound

OPEN: Final = "open"
RELEASED: Final = "released"
ROLLED_BACK: Final = "rolled back"


@dataclass(slots=True)
class Savepoint:
    name: str
    fate: str = OPEN
    is_gone: bool = False
    """The transaction cannot go back to it any more."""

    def go(self, fate: str) -> None:
        self.is_gone = True
        self.fate = fate if self.fate == OPEN else self.fate


@dataclass(slots=True)
class Transaction:
    number: int
    exchanges: list[Exchange] = field(default_factory=list)
    savepoints: list[Savepoint] = field(default_factory=list)
    end: str = OPEN
    """What the server answered to the request that ended it: a `COMMIT` that failed has an error, or `ROLLBACK`."""

    @property
    def depth(self) -> int:
        """Savepoints to which it can go back now."""
        return sum(not each.is_gone for each in self.savepoints)

    @property
    def at_ns(self) -> int:
        return self.exchanges[0].at_ns

    @property
    def duration_ns(self) -> int:
        return max(each.at_ns + each.duration_ns for each in self.exchanges) - self.at_ns


@dataclass(frozen=True, slots=True)
class Transactions:
    found: Sequence[Transaction]
    """In the order in which they began."""
    places: dict[str, str]
    """By the id of an exchange: the number of its transaction, and after a point how many savepoints it was inside."""


def transactions(segment: Segment) -> Transactions:
    found: dict[int, Transaction] = {}
    places: dict[str, str] = {}
    for exchange in segment.exchanges:
        if exchange.transaction is None:
            continue
        transaction = found.setdefault(exchange.transaction, Transaction(exchange.transaction))
        transaction.exchanges.append(exchange)
        places[exchange.id] = f"{transaction.number}.{transaction.depth}".removesuffix(".0")
        bounds = description(exchange).bounds
        for bound in bounds:
            _move(transaction, bound)
        if exchange.result.get("tx") == "I" or any(bound.step in ("commit", "rollback") for bound in bounds):
            transaction.end = describe(exchange).outcome
    return Transactions(list(found.values()), places)


def _move(transaction: Transaction, bound: Bound) -> None:
    if bound.step == "savepoint":
        transaction.savepoints.append(Savepoint(bound.savepoint))
    elif bound.step in ("release", "rollback to"):
        _go_back(transaction, bound)


def _go_back(transaction: Transaction, bound: Bound) -> None:
    """The savepoint of that name, the latest if there are several, and with it those after it."""
    standing = [each for each in transaction.savepoints if not each.is_gone]
    at = next((at for at in reversed(range(len(standing))) if standing[at].name == bound.savepoint), None)
    if at is None:
        return
    fate = RELEASED if bound.step == "release" else ROLLED_BACK
    for each in standing[at + 1 :]:
        each.go(fate)
    if bound.step == "release":
        standing[at].go(fate)
    else:
        standing[at].fate = fate
