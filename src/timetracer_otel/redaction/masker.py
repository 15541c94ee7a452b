"""What every part of this package is given to mask with: the rules, the marker of a secret, what the trace knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from timetracer_otel.redaction.markers import Mark, MarkerMaker
from timetracer_otel.redaction.memory import Memory
from timetracer_otel.redaction.rules import Rules

NOTHING_KNOWN: Final[Mapping[bytes, bytes]] = {}
KNOWN_MAX: Final = 16
"""Secrets that are looked for one by one."""


class Masker:
    """The rules under one key. Threads share it."""

    __slots__ = ("_maker", "_memory", "has_places", "mark", "rule_at", "rule_of", "rules")

    def __init__(self, maker: MarkerMaker, rules: Rules, memory: Memory | None = None) -> None:
        self._maker, self.rules, self._memory = maker, rules, memory
        self.mark: Mark = maker.marker if memory is None else memory.mark
        self.rule_of = rules.names.rule_of
        self.has_places = bool(rules.places.all)
        self.rule_at = rules.places.rule_at

    def of_type(self, type_name: str) -> Masker:
        """One with the rules that count in exchanges of the type; the same object where that makes no difference."""
        rules = self.rules.of_type(type_name)
        return self if rules is self.rules else Masker(self._maker, rules, self._memory)

    @property
    def known(self) -> Mapping[bytes, bytes]:
        """Secrets that were masked in this trace, with their markers."""
        return NOTHING_KNOWN if self._memory is None else self._memory.markers

    def is_known_in(self, data: bytes) -> bool:
        """True if a secret of this trace stands in `data`."""
        return self._memory is not None and self._memory.is_in(data)

    def may_be_string_in(self, data: bytes) -> bool:
        """False if no secret of this trace is a whole string of `data`, JSON."""
        return self._memory is not None and self._memory.may_be_string_in(data)

    def may_be_known_in(self, data: bytes) -> bool:
        """False if nothing that stands in `data` is a secret of this trace, however short it is or long."""
        known = self.known
        return len(known) > KNOWN_MAX or any(data.find(secret) >= 0 for secret in known)

    def suspicious(self, data: bytes) -> bool:
        """False if `scrub` would change nothing."""
        return self.rules.patterns.suspicious(data) or self.is_known_in(data)

    def shaped(self, data: bytes) -> bool:
        """`suspicious` of data in which no name of a secret is: only what is known without one is left."""
        return self.rules.patterns.shaped(data) or self.is_known_in(data)

    def suspicious_text(self, text: str) -> bool:
        """`suspicious` of text."""
        return self.rules.patterns.suspicious_text(text) or (
            self._memory is not None and bool(self._memory.long) and self._memory.is_in(_octets(text))
        )

    def scrub(self, data: bytes) -> bytes:
        """`data` with what looks like a secret, or is known as one, masked; the same object when nothing hits."""
        masked = self.rules.patterns.scrub(data, self.mark)
        return masked if self._memory is None else self._memory.scrub(masked)

    def scrub_text(self, text: str) -> str:
        """`scrub` of text."""
        masked = self.rules.patterns.scrub_text(text, self.mark)
        if self._memory is None or not self._memory.long:
            return masked
        data = _octets(masked)
        scrubbed = self._memory.scrub(data)
        return masked if scrubbed is data else scrubbed.decode("utf-8", "surrogatepass")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
