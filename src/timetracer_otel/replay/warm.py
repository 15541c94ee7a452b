"""What a replay need not ask for, since its process has asked before: an engine greets its server once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence

from timetracer_otel.cassette.model import Exchange
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


def _key(question: Question) -> Hashable:
    return question.lib, question.shape, question.in_transaction, tuple(slot.key for slot in question.slots)
