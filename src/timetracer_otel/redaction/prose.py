"""A secret after its name in a sentence: `Your password: hunter2`.

Most of what stands there is no secret: `password: required`. So only a word counts that nobody would write in prose: of
six characters at least, with letters, and with a digit or a sign that is no punctuation.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from timetracer_otel.redaction.markers import Mark
from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.near_names import NearNames
from timetracer_otel.redaction.shapes import Match, RuleOf, replaced

NEEDS: Final = (b": ",)
_WORD: Final = rb"[^\s\"'<>,;:()\[\]{}`\\?]"
"""Of a word: so no URL, no list and no piece of code begins one."""
_SAID: Final = (
    rb"(?![A-Za-z0-9_-])(?:[ ]is)?:[ ]{1,4}"
    rb"(?=" + _WORD + rb"{0,200}[A-Za-z])(?=" + _WORD + rb"{0,200}[0-9!@#$%^&*=])"
    rb"(?P<value>[A-Za-z0-9!@#^&*+=~_-]" + _WORD + rb"{4,198}[A-Za-z0-9!@#$%^&*+=~_-])"
    rb"(?=[.,;!?)\"'`]{0,3}(?:\s|\\+[nr]|\Z|[<\"'`]))"
)


def said(names: Names) -> NearNames:
    """The shape, for these names."""
    pattern = re.compile(rb"(?i)(?P<name>" + names.alternation + rb")" + _SAID)
    return NearNames(names, NEEDS, pattern, partial(_masked, names.rule_of))


def _masked(rule_of: RuleOf, match: Match, mark: Mark) -> bytes:
    return replaced(match, "value", mark(rule_of(match["name"].decode()) or "secret", match["value"]))
