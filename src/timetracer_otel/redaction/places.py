"""Places in an exchange that a rule file names: `request.body.$.user.email`, `result.headers.x-customer`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from timetracer_otel.redaction.names import snake

ANY: Final = "*"
ANY_DEPTH: Final = "**"
STEP: Final = re.compile(r"\[(\d+|\*)\]|\.?([^.\[\]]+)")
_RULE: Final = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """One path; `*` stands for one step, `**` for any number of them, none too."""

    steps: tuple[str, ...]
    type: str | None = None
    """Only in exchanges of this type (`http`, `http.server`, `postgres`); None: in all."""

    def is_of(self, type_name: str) -> bool:
        """True if it counts in exchanges of the type."""
        return self.type is None or f"{type_name}.".startswith(f"{self.type}.")

    @property
    def rule(self) -> str:
        """What a marker at this place names: the last step that is a name."""
        named = [step for step in self.steps if _RULE.fullmatch(snake(step)) and not step.isdecimal()]
        return snake(named[-1]) if named else "path"


@dataclass(frozen=True, slots=True)
class Places:
    """Those of one set of rules."""

    all: tuple[Place, ...] = ()

    def of_type(self, type_name: str) -> Places:
        """Those that count in exchanges of the type."""
        return Places(tuple(place for place in self.all if place.is_of(type_name))) if self.all else self

    def rule_at(self, path: str) -> str | None:
        """The rule that masks what stands at `path`, None if no place names it or something around it."""
        return _rule_at(self.all, path) if self.all else None

    def under(self, path: str) -> Places:
        """Those that may stand somewhere below `path`, with the steps that are left."""
        if not self.all:
            return self
        steps = steps_of(path)
        rests = [Place(rest) for place in self.all for rest in _rests(place.steps, steps)]
        return Places(tuple(dict.fromkeys(rests)))

    def rule_of_steps(self, steps: Sequence[str]) -> str | None:
        """The rule for the place that these steps lead to."""
        return next((place.rule for place in self.all if _fits(place.steps, steps)), None)


NOWHERE: Final = Places()


def steps_of(path: str) -> tuple[str, ...]:
    """`request.parameters[0]` -> request, parameters, 0."""
    return tuple(step[1] or step[2] for step in STEP.finditer(path))


@lru_cache(maxsize=4096)
def _rule_at(places: tuple[Place, ...], path: str) -> str | None:
    steps, found = steps_of(path), Places(places)
    return next((rule for end in range(1, len(steps) + 1) if (rule := found.rule_of_steps(steps[:end]))), None)


def _fits(wanted: Sequence[str], steps: Sequence[str]) -> bool:
    return any(not rest or set(rest) == {ANY_DEPTH} for rest in _rests(wanted, steps))


def _rests(wanted: Sequence[str], steps: Sequence[str]) -> set[tuple[str, ...]]:
    """What is left of `wanted` once it has taken all of `steps`: more than one way where `**` stands."""
    states = {tuple(wanted)}
    for step in steps:
        states = {rest for state in states for rest in _taken(state, step)}
    return states


def _taken(state: tuple[str, ...], step: str) -> set[tuple[str, ...]]:
    if not state:
        return set()
    if state[0] == ANY_DEPTH:
        return {state} | _taken(state[1:], step)
    return {state[1:]} if state[0] in (ANY, step) else set()
