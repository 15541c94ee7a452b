"""What a replay need not ask for, since its process has asked before: an engine greets its server once, and a pool that
has a connection to spare makes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

from timetracer_otel.cassette.model import Acquire, Exchange
from timetracer_otel.drivers import registry
from timetracer_otel.drivers.base import Question


def spared(
    exchanges: Sequence[Exchange], taken: Collection[str], question: Callable[[Exchange], Question]
) -> list[str]:
    """Ids of recorded requests that nobody misses. A greeting may have answered an equal request of the test, such as
    BEGIN: then the recorded one of the test is spared in its place."""
    greetings = registry.greetings(exchanges)
    if not greetings or greetings <= frozenset(taken):
        return []
    own = [each for each in exchanges if each.id not in taken]
    lent = [each for each in exchanges if each.id in greetings and each.id in taken]
    return [
        *(each.id for each in own if each.id in greetings),
        *_in_place(lent, (each for each in own if each.id not in greetings), question),
    ]


def _in_place(
    lent: Iterable[Exchange], own: Iterable[Exchange], question: Callable[[Exchange], Question]
) -> Iterable[str]:
    """Ids of those of `own` in whose place an equal one of `lent` has answered."""
    counted = Counter(_key(question(each)) for each in lent)
    for each in own:
        if counted[key := _key(question(each))] > 0:
            counted[key] -= 1
            yield each.id


def made_ready(exchanges: Iterable[Exchange], pools: Iterable[Acquire]) -> Iterable[Exchange]:
    """Those by which a connection was made ready while a pool was asked for it for the first time: how many it makes
    depends on what else the process was at."""
    firsts: dict[tuple[str, int | None], Acquire] = {}
    for each in pools:
        firsts.setdefault((each.driver, each.connection), each)
    for exchange in exchanges:
        asking = None if exchange.connection is None else firsts.get((exchange.signature.lib, exchange.connection))
        if asking is not None and _is_within(exchange, asking):
            yield exchange


def _is_within(exchange: Exchange, asking: Acquire) -> bool:
    return 0 <= exchange.at_ns - asking.at_ns <= asking.wait_ns - exchange.duration_ns


def asked_elsewhere(
    ready: Sequence[Exchange],
    recorded: Sequence[Exchange],
    early: Iterable[Exchange],
    taken: Collection[str],
    question: Callable[[Exchange], Question],
) -> frozenset[str]:
    """Ids of recorded requests that nobody misses, since the replay made a connection ready too, or had before: those
    of `ready` whose equal has answered. Where a part of a transaction among them has answered an equal request of the
    work, such as its BEGIN, that one is spared in its place."""
    keys = {_key(question(each)) for each in (*recorded, *early) if each.id in taken}
    names = frozenset(each.id for each in ready if each.id not in taken and _key(question(each)) in keys)
    if not names:
        return names
    apart = {each.id for each in ready}
    work = [each for each in recorded if each.id not in apart]
    spared = {each.transaction for each in ready if each.id in names} - {each.transaction for each in work} - {None}
    lent = (each for each in ready if each.transaction in spared and each.id in taken)
    return names.union(_in_place(lent, (each for each in work if each.id not in taken), question))


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.in_transaction, tuple(slot.key for slot in question.slots)
