"""Secrets out of everything that is written or sent: rules, markers, one engine. `docs/redaction.md` says which."""

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
