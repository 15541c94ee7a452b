"""Whether a call's parameters may hold what the masks of its service look for: most do not, and one walk tells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from timetracer_otel.cassette.model import Value
from timetracer_otel.drivers.botocore.answer_secrets import ANY, CODED, MEMBERS
from timetracer_otel.drivers.botocore.sql_members import COLUMNS, METADATA, STATEMENTS
from timetracer_otel.drivers.botocore.told_secrets import PLACEHOLDERS, POSITIONED
from timetracer_otel.redaction.pairs import PAIRS

_ANYWHERE: Final = ANY | {told for _, told in PAIRS}


def may_tell(params: Value, service: str) -> bool:
    """False if no member of the parameters is a secret of the service, or tells of one."""
    return not _telling(service).isdisjoint(_names_in(params))


@cache
def _telling(service: str) -> frozenset[str]:
    """In lower case: names of pairs are known in any."""
    names = _ANYWHERE | MEMBERS.get(service, frozenset()) | CODED.get(service, frozenset())
    if service in STATEMENTS:
        names |= STATEMENTS[service] | {*COLUMNS, METADATA}
    if service == "dynamodb":
        names |= {PLACEHOLDERS, POSITIONED}
    return frozenset(name.lower() for name in names)


def _names_in(value: Value) -> set[str]:
    """At any depth, in lower case; of a dotted one its last part counts."""
    found, waiting = set[str](), [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (str, bytes)):
            continue
        if isinstance(each, (dict, Mapping)):  # nearly always a dict, which is told at once
            found.update([name.lower().rpartition(".")[2] for name in each])
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each
    return found
