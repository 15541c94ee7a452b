"""What is secret: names, shapes, places. The secrets are built in; a rule file and presets add to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from timetracer_otel.redaction.names import Names
from timetracer_otel.redaction.patterns import Patterns
from timetracer_otel.redaction.places import NOWHERE, Places


@dataclass(frozen=True, slots=True)
class Rules:
    """One set of rules, compiled."""

    names: Names
    patterns: Patterns
    places: Places = NOWHERE

    def of_type(self, type_name: str) -> Rules:
        """Those that count in exchanges of the type; the same object where that makes no difference."""
        places = self.places.of_type(type_name)
        return self if places == self.places else replace(self, places=places)


_NAMES: Final = Names()
_PATTERNS: Final = Patterns(_NAMES)
SECRETS: Final = Rules(_NAMES, _PATTERNS)
"""Without a rule file."""


def load_rules(path: str | None) -> Rules:
    """Those of a rule file, the built-in ones for None.

    Raises: UsageError naming file, key and what is allowed; to be called when recording starts, not with the first
    write.
    """
    if path is None:
        return SECRETS
    from timetracer_otel.redaction.rule_file import load

    return load(path)
