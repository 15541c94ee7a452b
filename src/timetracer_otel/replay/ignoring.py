"""What the user does not want compared, or wants compared beyond the content: applied to what the replay has told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from timetracer_otel.replay.journal import Event


@dataclass(frozen=True, slots=True)
class Wishes:
    """Of one run."""

    ignored: Sequence[str] = ()
    """Paths as the report prints them, of which `*` stands for any part: `headers.x-build`, `body.$.items[*].price`."""
    has_chunks: bool = False
    """The chunks of a streamed answer are compared too."""


NONE: Final = Wishes()


def applied(events: Iterable[Event], wishes: Wishes) -> Iterator[Event]:
    """The events, with the comparison as it was wished for."""
    for event in events:
        yield _compared(event, wishes) if event["event"] == "comparison" else event


def _compared(event: Event, wishes: Wishes) -> Event:
    found = [*event["differences"], *(event.get("on_request", ()) if wishes.has_chunks else ())]
    reasons = {each["path"]: _reason(each["path"], wishes.ignored) for each in found}
    ignored = [{"path": path, "reason": reason} for path, reason in reasons.items() if reason is not None]
    left: list[Any] = [each for each in found if reasons[each["path"]] is None]
    return {**event, "differences": left, "ignored": [*event["ignored"], *ignored, *_idle(reasons, wishes.ignored)]}


def _idle(paths: Iterable[str], patterns: Sequence[str]) -> Iterator[dict[str, str]]:
    """What was to be ignored and was not met: it may be a slip of the pen, which nobody would notice."""
    for pattern in dict.fromkeys(patterns):
        if not any(_expression(pattern).fullmatch(path) for path in paths):
            yield {"path": pattern, "reason": "nothing of this path differs, so there was nothing to ignore"}


def _reason(path: str, patterns: Sequence[str]) -> str | None:
    """None if no pattern has it."""
    pattern = next((each for each in patterns if _expression(each).fullmatch(path)), None)
    return None if pattern is None else f"ignored by {pattern!r}, as you wish"


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Of the path itself and of all that lies in it."""
    inside = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.compile(rf"{inside}(?:[.\[].*)?", re.DOTALL | re.IGNORECASE)
