"""Servers that have a database of the same name, such as a primary and its replica. A driver whose requests tell its
servers apart by the database alone does not tell these; Redis' does (decision 0028)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.base import Question


def alike(exchanges: Iterable[Exchange], question: Callable[[Exchange], Question]) -> Iterator[str]:
    """What to say of them: where a request goes is not compared."""
    firsts = {(each.signature.lib, each.target, each.signature.url): each for each in exchanges if each.target}
    found = defaultdict[tuple[str, str], set[str]](set)
    for (lib, target, _), exchange in firsts.items():
        if (database := question(exchange).database) is not None:
            found[lib, database].add(_host(target or ""))
    for (lib, database), hosts in sorted(found.items()):
        if len(hosts) > 1:
            places = " and ".join(sorted(hosts))
            yield f"{lib} asked {database} at {places}: to which of them a request goes is not compared"


def _host(target: str) -> str:
    """With its port."""
    return target.partition("//")[2].partition("/")[0].rpartition("@")[2]
