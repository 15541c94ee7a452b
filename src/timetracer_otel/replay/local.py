"""Values that only the process which asks can have made: what it drew from chance, what it calls itself, and the ids of
its trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, Literal, TypeAlias

from timetracer_otel.replay.draws import Draws, Pairs, is_part_of
from timetracer_otel.replay.given import Given
from timetracer_otel.replay.machine import Machine
from timetracer_otel.replay.renaming import Renaming
from timetracer_otel.replay.standing import Standing
from timetracer_otel.replay.traces import Made, Traces
from timetracer_otel.replay.varying import VARYING

BLANK: Final = "\0"
GROUPS: Final = re.compile(r"[0-9A-Za-z]+")
Found: TypeAlias = "tuple[Literal['drawn', 'machine', 'trace'], Pairs]"
IsInstant: TypeAlias = Callable[[str, str], bool]
"""True for two instants of which the clock proves that they may differ."""


@dataclass(frozen=True, slots=True)
class Here:
    """What a replay makes of its own: what its process drew, which spans it opened, and what stands for what."""

    draws: Draws
    made: Made
    known: Standing = field(default_factory=Standing)
    renaming: Renaming = field(default_factory=Renaming)


class Local:
    """The proof that a text of this process is the recorded one, but for such values."""

    def __init__(
        self, here: Here, given: Given, machine: Machine, traces: Traces | None = None, ids: Iterable[str] = ()
    ) -> None:
        """Without `traces` no id of a span stands for a recorded one. `ids`: recorded uuid4 values, in hex, which are
        given back."""
        self._draws, self._given, self._machine = here.draws, given, machine
        self._traces, self._ids = traces or Traces("", "", (), here.made), "\n".join(ids)
        self.known = here.known
        """Answers repeat what they were told."""
        self.renaming = here.renaming

    def may_prove(self, texts: Iterable[str]) -> bool:
        """False if nothing in these texts of a request is known to be made here."""
        return bool(self._draws) or any(
            self._traces.are_in(text) or self._machine.recorded(text) != text for text in texts
        )

    def proof(self, was: str, now: str, at_ns: int, is_instant: IsInstant) -> Found | None:
        """The kind of what differs, and the parts that stand for each other: none of them stood in anything that the
        application was given until `at_ns`, unless it is known."""
        if was == now:  # what differs is no text
            return None
        named, traced = self._traces.recorded(was, now)
        here = self._machine.recorded(named)
        if here == was or (here != now and _differ_in_instants(was, here, is_instant)):
            return ("trace" if traced else "machine"), traced
        pairs = self._draws.pairs(was, here) or self._beside_instants(was, here, is_instant)
        if not pairs:
            return None
        new = list[str]()
        for pair in pairs:
            kin = self.known.kin(*pair)
            if not all(_are_one(*pair, *each) for each in kin):
                return None  # a part of what stands for something else
            if not kin:
                if pair[0].replace("-", "").lower() in self._ids:
                    return None  # who asks for it anew is given it
                new.append(pair[0])
        return None if self._were_given(new, at_ns) else ("drawn", (*pairs, *traced))

    def _beside_instants(self, was: str, now: str, is_instant: IsInstant) -> Pairs:
        """As `Draws.pairs`, of texts in which instants may differ too; empty where anything else does."""
        if len(was) == len(now):
            return self._draws.pairs(*_without_instants(was, now, is_instant))
        instants = list(zip(VARYING.findall(was), VARYING.findall(now), strict=False))
        others = list(zip_longest(VARYING.split(was), VARYING.split(now), fillvalue=""))
        others += [each for each in instants if not is_instant(*each)]
        found = [self._draws.pairs(*each) for each in others if each[0] != each[1]]
        return tuple(pair for each in found for pair in each or ()) if all(found) else ()

    def _were_given(self, parts: Iterable[str], at_ns: int) -> bool:
        """One of them, if only in its groups."""
        return any(all(self._given.has(group, at_ns) for group in GROUPS.findall(part)) for part in parts)


def _differ_in_instants(was: str, now: str, is_instant: IsInstant) -> bool:
    found = zip(VARYING.findall(was), VARYING.findall(now), strict=False)
    is_so = all(one == other or is_instant(one, other) for one, other in found)
    return is_so and VARYING.split(was) == VARYING.split(now)


def _without_instants(was: str, now: str, is_instant: IsInstant) -> tuple[str, str]:
    """Two texts of one length, with signs in place of the instants that may differ and stand at the same place in both:
    a draw may look as one."""
    there = {found.span(): found[0] for found in VARYING.finditer(was)}
    spans = [
        found.span()
        for found in VARYING.finditer(now)
        if there.get(found.span(), found[0]) != found[0] and is_instant(there[found.span()], found[0])
    ]
    return _blanked(was, spans), _blanked(now, spans)


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, end = [], 0
    for first, last in spans:
        parts += [text[end:first], BLANK * (last - first)]
        end = last
    return "".join((*parts, text[end:]))


def _are_one(was: str, now: str, then: str, here: str) -> bool:
    """True if the one pair is a part of the other."""
    return is_part_of(was, now, then, here) or is_part_of(then, here, was, now)
