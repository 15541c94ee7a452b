"""What a report must not tell: it goes to logs and pull requests, and the process that replays has secrets of its own.

They stand where the recording has a marker, or under a name that would have been masked. Pure.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from timetracer_otel.drivers.base import Question, Slot
from timetracer_otel.redaction import MARKER, Redactor
from timetracer_otel.replay.explain import Nearest

HIDDEN: Final = "(a secret)"
LAST_STEP: Final = re.compile(r"[^.\[\]$]+")


def without_secrets(question: Question, near: Nearest | None) -> tuple[Question, Nearest | None]:
    """Both as they may be told."""
    marked = _marked(near) if near is not None else frozenset()
    redactor = Redactor(key=b"asked")  # it only says whether it would mask: its markers are nowhere told
    hidden = {
        slot.path
        for slot in question.slots
        if not MARKER.search(slot.text or "") and (slot.path in marked or _is_masked(slot, redactor))
    }
    if not hidden:
        return question, near
    slots = tuple(replace(slot, shown=HIDDEN) if slot.path in hidden else slot for slot in question.slots)
    if near is not None:
        told = tuple(replace(each, asked=HIDDEN) if each.path in hidden else each for each in near.differences)
        near = replace(near, differences=told)
    return replace(question, slots=slots), near


def _marked(near: Nearest) -> frozenset[str]:
    changed = {path.removeprefix("request.") for path in near.exchange.redacted}
    slots = near.question.slots
    return frozenset(slot.path for slot in slots if slot.path in changed or MARKER.search(slot.text or ""))


def _is_masked(slot: Slot, redactor: Redactor) -> bool:
    name = LAST_STEP.findall(slot.path)[-1:] or [slot.path]
    return bool(redactor.value({name[0]: slot.shown}, "")[1])
