"""Two members beside each other in running text, the one the name of the other: `{'name': 'password', 'value': 'x'}`.

What is JSON as a whole is masked by `json_pairs`; this is for what is not: a line of a log, a repr, a body in pieces.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import LONGEST_NAME, Names
from timetracer_otel.redaction.pairs import PAIRS
from timetracer_otel.redaction.shapes import DOUBLE_QUOTED, SINGLE_QUOTED, Expression, Match, RuleOf, replaced

NEEDS: Final = (b'"', b"'")
_NAMING: Final = "|".join(dict.fromkeys(name for name, _ in PAIRS)).encode()
_TOLD: Final = "|".join(dict.fromkeys(value for _, value in PAIRS)).encode()
_COLON: Final = rb"\\*[\"']\s*:\s*[bu]?"
_NAME: Final = rb"[\"'](?:" + _NAMING + rb")" + _COLON + rb"\\*[\"'](?P<name>[^\"'\\]{1,%d})\\*[\"']" % LONGEST_NAME
_WHOLE: Final = rb"'(?P<single>" + SINGLE_QUOTED + rb")|\"(?P<double>" + DOUBLE_QUOTED + rb")"
_NUMBER: Final = rb"|(?P<number>-?\d[\w.+-]*)"
# What is told may hold any quote but its own, which has as many backslashes; where it comes first, none at all: it is
# not known yet that a name follows, and nothing may be looked through twice.
_ESCAPED: Final = rb"|(?P<quote>\\+[\"'])(?P<escaped>[\s\S]*?)(?=(?<!\\)(?P=quote)|\Z)"
_PLAIN: Final = rb"|\\+[\"'](?P<escaped>[^\"'\\]*)"
_NAME_FIRST: Final = re.compile(
    rb"(?i)" + _NAME + rb"\s*,\s*\\*[\"'](?:" + _TOLD + rb")" + _COLON + rb"(?:" + _WHOLE + _ESCAPED + _NUMBER + rb")"
)
_NAME_LAST: Final = re.compile(
    rb"(?i)[\"'](?:" + _TOLD + rb")" + _COLON + rb"(?:" + _WHOLE + _PLAIN + _NUMBER + rb")"
    rb"(?:\\*[\"'])?\s*,\s*\\*" + _NAME
)
_GROUPS: Final = ("single", "double", "escaped", "number")


def paired_shapes(names: Names) -> tuple[Expression, ...]:
    """The shapes, for these names."""
    masked = partial(_masked, names.rule_of)
    return tuple(Expression(NEEDS, each, masked, by_name=True) for each in (_NAME_FIRST, _NAME_LAST))


def _masked(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    rule = rule_of(match["name"].decode("utf-8", "replace"))
    group = next(each for each in _GROUPS if match[each] is not None)
    if rule is None or not match[group]:
        return match[0]
    marker = mark(rule, match[group])
    return replaced(match, group, b'"' + marker + b'"' if group == "number" else marker)
