"""Secrets out of everything that is written or sent: rules, markers, one engine. `docs/redaction.md` says which."""

from timetracer_otel.redaction.engine import Redactor
from timetracer_otel.redaction.markers import MARKER, find_markers, is_marker
from timetracer_otel.redaction.rules import SECRETS, Rules, load_rules
from timetracer_otel.redaction.stream import Scrubber
from timetracer_otel.redaction.structured import is_structured

__all__ = [
    "MARKER",
    "SECRETS",
    "Redactor",
    "Rules",
    "Scrubber",
    "find_markers",
    "is_marker",
    "is_structured",
    "load_rules",
]
