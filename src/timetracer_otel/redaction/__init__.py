"""Secrets out of everything that is written or sent: rules, markers, one engine. `docs/redaction.md` says which.

An application loads it with the first part that is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from timetracer_otel.lazy import names_of

if TYPE_CHECKING:
    from timetracer_otel.redaction.codings import text_in
    from timetracer_otel.redaction.engine import Redactor
    from timetracer_otel.redaction.markers import MARKER, find_markers, is_marker
    from timetracer_otel.redaction.rules import SECRETS, Rules, load_rules
    from timetracer_otel.redaction.signed_members import counting, rules_of_names
    from timetracer_otel.redaction.stream import Scrubber
    from timetracer_otel.redaction.structured import is_structured

__all__ = [
    "MARKER",
    "SECRETS",
    "Redactor",
    "Rules",
    "Scrubber",
    "counting",
    "find_markers",
    "is_marker",
    "is_structured",
    "load_rules",
    "rules_of_names",
    "text_in",
]

_HOMES: Final = {
    "MARKER": "markers",
    "SECRETS": "rules",
    "Redactor": "engine",
    "Rules": "rules",
    "Scrubber": "stream",
    "counting": "signed_members",
    "find_markers": "markers",
    "is_marker": "markers",
    "is_structured": "structured",
    "load_rules": "rules",
    "rules_of_names": "signed_members",
    "text_in": "codings",
}

__getattr__ = names_of(__name__, _HOMES)
