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
    in_place = Counter(_key(question(each)) for each in exchanges if each.id in greetings and each.id in taken)
    names = [each.id for each in own if each.id in greetings]
    for each in own:
        if each.id not in greetings and in_place[key := _key(question(each))] > 0:
            in_place[key] -= 1
            names.append(each.id)
    return names


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
    ready: Iterable[Exchange], answered: Iterable[Exchange], question: Callable[[Exchange], Question]
) -> frozenset[str]:
    """Ids of those of `ready` whose equal has answered: the replay made a connection ready too, or had before."""
    keys = {_key(question(each)) for each in answered}
    return frozenset(each.id for each in ready if _key(question(each)) in keys)


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.in_transaction, tuple(slot.key for slot in question.slots)
