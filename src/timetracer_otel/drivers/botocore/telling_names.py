"""Whether a call's parameters may hold what the masks of its service look for: most do not, and one walk tells."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import cache
from typing import Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.botocore.answer_secrets import ANY, CODED, MEMBERS
from timetracer_otel.drivers.botocore.sql_members import COLUMNS, METADATA, STATEMENTS
from timetracer_otel.drivers.botocore.told_secrets import PLACEHOLDERS, POSITIONED
from timetracer_otel.redaction.pairs import PAIRS

_ANYWHERE: Final = ANY | {told for _, told in PAIRS}
_LEAVES: Final = frozenset[type]({str, bytes, int, float, bool, type(None)})
HARMLESS_MAX: Final = 4096
_HARMLESS: Final[dict[str, set[str]]] = {}
"""Of each service the names that tell nothing: nearly all calls have the same. Threads may share it: the worst of a
race is that a name is looked at twice."""


def may_tell(params: Value, service: str) -> bool:
    """False if no member of the parameters is a secret of the service, or tells of one."""
    return not are_harmless(_names_in(params), service)


def are_harmless(names: Set[str], service: str) -> bool:
    """True if under none of these names is a secret of the service, or what tells of one."""
    harmless = _HARMLESS.setdefault(service, set())
    news = names - harmless
    if news and not _telling(service).isdisjoint([name.lower().rpartition(".")[2] for name in news]):
        return False
    if len(harmless) + len(news) <= HARMLESS_MAX:
        harmless |= news
    return True


@cache
def _telling(service: str) -> frozenset[str]:
    """In lower case: names of pairs are known in any; of a dotted one its last part counts."""
    names = _ANYWHERE | MEMBERS.get(service, frozenset()) | CODED.get(service, frozenset())
    if service in STATEMENTS:
        names |= STATEMENTS[service] | {*COLUMNS, METADATA}
    if service == "dynamodb":
        names |= {PLACEHOLDERS, POSITIONED}
    return frozenset(name.lower() for name in names)


def _names_in(value: Value) -> set[str]:
    """At any depth."""
    found, waiting = set[str](), [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (dict, Mapping)):  # nearly always a dict, which is told at once
            found.update(each)
            each = tuple(each.values())
        if isinstance(each, (list, tuple)):
            waiting += [inner for inner in each if type(inner) not in _LEAVES]
    return found
