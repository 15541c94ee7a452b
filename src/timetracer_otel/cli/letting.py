"""`--live LIB`, and what is said before a replay of calls that nobody has recorded (R51)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Final

from timetracer_otel.cassette import Segment
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.drivers import registry
from timetracer_otel.errors import UsageError
from timetracer_otel.replay.uncovered import in_words, uncovered

TOLD_MAX: Final = 10


def libraries(option: Sequence[str]) -> tuple[str, ...]:
    """Names of packages. Raises UsageError for one that is not there, and for one that the recording answers."""
    for name in option:
        if name in _answered():
            problem = f"calls of {name} are answered from the recording"
            raise UsageError("--live", problem, "only what is not recorded can be let through")
        if not name.isidentifier() or importlib.util.find_spec(name) is None:
            raise UsageError(
                "--live", f"no package {name!r} is installed", "name it as it is imported, such as smtplib"
            )
    return tuple(option)


def _answered() -> set[str]:
    drivers = registry.DRIVERS.items()
    return {each for name, driver in drivers if driver.asks for each in (name, driver.library, *driver.others)}


def tell_uncovered(segment: Segment, live: Sequence[str] = ()) -> None:
    """On stderr, before the replay: what it will refuse."""
    for call in [each for each in uncovered(segment) if each.library not in live][:TOLD_MAX]:
        print(f"timetracer-otel: not recorded, to be refused: {safe(in_words(call))}", file=sys.stderr)
