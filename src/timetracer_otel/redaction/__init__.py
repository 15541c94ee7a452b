"""Secrets out of everything that is written or sent: rules, markers, one engine. `docs/redaction.md` says which."""

from timetracer_otel.redaction.engine import Redactor
from timetracer_otel.redaction.markers import MARKER, find_markers, is_marker

__all__ = ["MARKER", "Redactor", "find_markers", "is_marker"]
