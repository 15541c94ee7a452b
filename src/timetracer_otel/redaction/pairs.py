"""Secrets of which a neighbour tells: `{"name": "password", "value": X}`, in whatever a document is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

PAIRS: Final = (
    *(("name", "value"), ("name", "val"), ("key", "value"), ("key", "val"), ("k", "v"), ("field", "value")),
    *(("attribute", "value"), ("property", "value"), ("parameterkey", "parametervalue")),
    *(("parametername", "parametervalue"), ("optionname", "value"), ("propertyname", "details")),
)
"""In lower case: which member says of which what it is. Source: environments of ECS, HAR, SSM, Cognito, tags,
CloudFormation, RDS, Elastic Beanstalk; `$objectToArray`, the attribute pattern and `errInfo` of MongoDB."""
NAMING: Final = frozenset(name for name, _ in PAIRS)
MEMBERS: Final = NAMING | {value for _, value in PAIRS}
_TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(value for other, value in PAIRS if other == name) for name in NAMING
}


def paired(members: Collection[str], rule_in: Callable[[str], str | None]) -> dict[str, str]:
    """The rule of each member of which another one tells. `members` of one document, in lower case; dotted ones count
    by their last part, beside those with the same prefix. `rule_in`: that of the name that a member says, if any."""
    found: dict[str, str] = {}
    for member in members:
        prefix, dot, last = member.rpartition(".")
        told = [wanted for each in _TOLD_BY.get(last, ()) if (wanted := f"{prefix}{dot}{each}") in members]
        if told and (rule := rule_in(member)) is not None:
            found.update(dict.fromkeys(told, rule))
    return found
