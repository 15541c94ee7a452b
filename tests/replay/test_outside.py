from __future__ import annotations

from dataclasses import replace

from tests.replay.recordings import asked
from timetracer_otel.drivers.base import Asked
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.outside import BESIDE, FURTHER, TOLD_MAX, Outside


def test_each_is_told_once_and_so_many_different_ones() -> None:
    journal = MemoryJournal()
    outside = Outside(journal)
    outside.when = BESIDE
    where = Asked("shop/jobs.py:7 consume")
    for number in range(TOLD_MAX + 50):
        question = replace(asked("BLPOP", []), method="BLPOP", url=f"jobs:{number}")
        for _ in range(2):
            said = outside.tell(question, where)
            assert said == (
                f"BLPOP jobs:{number}, asked by shop/jobs.py:7 consume outside of the entry while it ran: "
                "not recorded, and refused"
            )
    told = [event["text"] for event in journal.of("uncontrolled")]
    assert len(told) == len(set(told)) == TOLD_MAX + 1
    assert told[-1] == FURTHER
