"""Requests of an environment outside of the entry: those of a poller, of a handler that cleans up, of a shutdown."""

from __future__ import annotations

from typing import Final, Literal

from timetracer_otel.drivers.base import Asked, Question
from timetracer_otel.replay.journal import Journal

BESIDE: Final = "while it ran"
BEHIND: Final = "after its end"
TOLD_MAX: Final = 100
"""Different ones that are told: a poller goes on and on."""
FURTHER: Final = "further requests outside of the entry: not recorded, and refused"


class Outside:
    """Of one session. None of them was recorded: a process keeps what comes before its first entry."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.when: Literal["", "while it ran", "after its end"] = ""
        """Empty until the entry begins: a request is a miss then like any other."""
        self._told: set[str] = set()

    def tell(self, question: Question, asked: Asked) -> str:
        """What the driver's exception says as well."""
        name = f"{question.method} {question.url}".strip()
        frame = asked.frame or "no frame of the application"
        text = f"{name}, asked by {frame} outside of the entry {self.when}: not recorded, and refused"
        told = text if len(self._told) < TOLD_MAX else FURTHER
        if told not in self._told and text not in self._told:
            self._told.add(told)
            self._journal.write("uncontrolled", text=told)
        return text
