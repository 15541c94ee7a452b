"""Values that only the process which asks can have made: what it drew from chance, and what it calls itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Literal, TypeAlias

from timetracer_otel.replay.draws import PART_MIN, Draws, Pairs, is_part_of
from timetracer_otel.replay.given import Given
from timetracer_otel.replay.machine import Machine
from timetracer_otel.replay.varying import VARYING

Found: TypeAlias = "tuple[Literal['drawn', 'machine'], Pairs]"
IsInstant: TypeAlias = Callable[[str, str], bool]
"""True for two instants of which the clock proves that they may differ."""


class Local:
    """The proof that a text of this process is the recorded one, but for such values."""

    def __init__(self, draws: Draws, given: Given, machine: Machine) -> None:
        self._draws, self._given, self._machine = draws, given, machine

    def may_prove(self, texts: Iterable[str]) -> bool:
        """False if nothing in these texts of a request is known to be made here."""
        return bool(self._draws) or any(self._machine.recorded(text) != text for text in texts)

    def proof(self, was: str, now: str, at_ns: int, known: Mapping[str, str], is_instant: IsInstant) -> Found | None:
        """The kind of what differs, and the parts that stand for each other: none of them stood in anything that the
        application was given until `at_ns`. `known` parts do so already: answers repeat what they were told."""
        here = self._machine.recorded(now)
        if was == now:  # what differs is no text
            return None
        if here == was:
            return "machine", ()
        pairs = self._draws.pairs(was, here) or self._beside_instants(was, here, is_instant)
        return ("drawn", pairs) if pairs and not self._were_given(pairs, at_ns, known) else None

    def _beside_instants(self, was: str, now: str, is_instant: IsInstant) -> Pairs:
        """As `Draws.pairs`, of texts in which instants may differ too; empty where anything else does."""
        instants = list(zip(VARYING.findall(was), VARYING.findall(now), strict=False))
        others = list(zip_longest(VARYING.split(was), VARYING.split(now), fillvalue=""))
        others += [each for each in instants if not is_instant(*each)]
        found = [self._draws.pairs(*each) for each in others if each[0] != each[1]]
        return tuple(pair for each in found for pair in each or ()) if all(found) else ()

    def _were_given(self, pairs: Pairs, at_ns: int, known: Mapping[str, str]) -> bool:
        """One that is long, or all that are short: those may stand anywhere."""
        given = [pair for pair in pairs if self._given.has(pair[0], at_ns) and not _is_known(*pair, known)]
        long = [pair for pair in pairs if len(pair[0]) >= PART_MIN]
        return any(pair in given for pair in long) if long else given == list(pairs)


def _is_known(was: str, now: str, known: Mapping[str, str]) -> bool:
    """True for a part of what stands for each other, or for more."""
    if known.get(was) == now:
        return True
    return any(is_part_of(was, now, *each) or is_part_of(*each, was, now) for each in known.items())
