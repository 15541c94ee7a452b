"""What a task does beside asking and ending: it says how far it is, is told to end, completes chords."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.drivers.celery.harness import Payments, entry, recorded_on_redis
from timetracer_otel.capture import guard
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Segment
from timetracer_otel.drivers.celery import chords, heard, keeping, limits, states, tasks
from timetracer_otel.drivers.celery.codec import CODEC
from timetracer_otel.drivers.celery.heard import NOTES_MAX, HeardNotes, HeardOutcome, HeardTask
from timetracer_otel.drivers.celery.names import LIB, PUBLISH

CLIENT = """
fails_chords.delay(5), goes_on_in_many_ways.delay(5), tells_past_itself.delay()
for each in [tells_how_far.delay(3), comes_to_an_end.delay(), settles.delay(7, api_key="pk-live-0c1d2e3f4a5b6c7d")]:
    each.get(timeout=60)
"""
ENDED = {"add": 13, "refuse": 3, "total": 5, "told": 2, "tells_how_far": 1, "comes_to_an_end": 1, "settles": 1}
ENDED["tells_past_itself"] = 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Payments:
    """Its Redis has been stopped."""
    return recorded_on_redis(tmp_path_factory.mktemp("on-the-way"), CLIENT, ENDED)


def sent(segment: Segment) -> int:
    return sum(each.type == PUBLISH for each in segment.exchanges)


def test_a_task_that_completes_a_chord_does_again_what_it_did_with_it(recorded: Payments) -> None:
    of_chords = [
        each
        for task in ("add", "refuse", "total")
        for each in recorded.segments(task)
        if sent(each) or task == "refuse"
    ]
    assert len(of_chords) >= 7  # three that failed, three that went on, and the chord that one of these began
    replayed = recorded.replay_all(of_chords)
    assert {each.name: replayed[each.id].output for each in of_chords if replayed[each.id].status} == {}


def test_a_callback_that_sends_something_else_when_a_chord_has_failed_deviates(
    recorded: Payments, tmp_path: Path
) -> None:
    failing = next(each for each in recorded.segments("refuse") if sent(each))
    changed = recorded.changed(tmp_path, "{exc!r} {add.delay(1, 1).id}", "{exc!r} {add.delay(1, 2).id}")
    found = changed.replay(failing, "--app", "payments:app").findings
    assert found == ([], ["publish payments.add"], ["publish payments.add"])


def test_a_secret_that_a_task_checks_is_supplied(recorded: Payments) -> None:
    (segment,) = recorded.segments("settles")
    here = 'pk-test-"1" \u00e9'
    masked = recorded.replay(segment, PARTNER_KEY=here)
    assert masked.status == 1
    assert masked.report["uncontrolled"][-1].endswith("(--secret supplies one): api_key")
    found = recorded.replay(segment, "--secret", f"api_key={here}", PARTNER_KEY=here)
    assert (found.status, found.report["verdict"]) == (0, "same"), found.output


def test_states_that_a_task_gives_itself_are_recorded_masked_and_compared(recorded: Payments, tmp_path: Path) -> None:
    (segment,) = recorded.segments("tells_how_far")
    states = entry(segment).result["states"]
    assert isinstance(states, list)
    assert [(each["state"], each["meta"]["done"]) for each in states] == [("UNDER_WAY", n) for n in range(3)]
    assert all(str(each["meta"]["password"]).startswith("[redacted:") for each in states)
    assert recorded.replay(segment).status == 0
    changes = {
        ('"done": number', '"done": number // 2'): ["states[1].meta.done", "states[2].meta.done"],
        ("in range(steps)", "in range(steps - 1)"): ["states[2]"],
    }
    for number, ((old, new), paths) in enumerate(changes.items()):
        changed = recorded.changed(tmp_path / str(number), old, new)
        assert changed.replay(segment, "--app", "payments:app").findings == (paths, [], [])


def test_what_a_task_stores_past_itself_is_told_as_not_compared(recorded: Payments) -> None:
    (segment,) = recorded.segments("tells_past_itself")
    replayed = recorded.replay(segment)
    assert replayed.status == 0, replayed.output
    told = "what the application stores past its task is not compared: state "
    of_backend, of_thread = (each for each in replayed.report["uncontrolled"] if each.startswith(told))
    assert of_backend.startswith(f"{told}'OWN', stored by payments.py:")
    assert of_backend.endswith(" tells_past_itself")
    assert of_thread == f"{told}'HALF'"


def test_a_task_that_comes_to_an_end_at_its_soft_limit_does_so_again(recorded: Payments) -> None:
    (segment,) = recorded.segments("comes_to_an_end")
    assert entry(segment).result["return_value"] == "ended, "
    replayed = recorded.replay(segment)
    assert replayed.status == 0, replayed.output


def test_of_a_task_whose_process_is_gone_nobody_says_that_it_gave_itself_no_state() -> None:
    lost, ended = (Captured(LIB, HeardTask(None, "task", {}, False)) for _ in range(2))
    lost.result = HeardOutcome("LOST", RuntimeError("killed"), "killed")
    ended.result = HeardOutcome("SUCCESS", None, None, HeardNotes())
    assert [CODEC.encode(each).result.get("states") for each in (lost, ended)] == [None, []]


def test_of_a_task_that_tells_without_end_so_much_is_kept_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes = HeardNotes()
    for number in range(NOTES_MAX + 5):
        notes.add("states", {"state": "UNDER_WAY", "meta": number})
    assert (len(notes.by_kind["states"]), notes.left_out) == (NOTES_MAX, 5)
    monkeypatch.setattr(heard, "payload_max_bytes", 1000)
    large = HeardNotes()
    for _ in range(5):
        large.add("states", {"meta": "x" * 400})
    assert (len(large.by_kind["states"]), large.left_out) == (2, 3)


def test_what_our_taps_on_the_way_raise_stays_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr(guard, "strict", False)
    for name in ("of", "running"):
        monkeypatch.setattr(tasks, name, fail)
    before = guard.counts()["celery"]
    for module, arguments in ((states, ("id", "HALF", {"done": 1})), (chords, ({"task": "a"}, ValueError()))):
        assert module._heard(lambda *given: given)("self", *arguments) == ("self", *arguments)
    with pytest.raises(TimeoutError, match="10"):
        limits._heard(raising)(10, None)
    assert guard.counts()["celery"] == before + 3


def test_a_backend_that_cannot_be_told_apart_is_the_applications_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        __slots__ = ("cleanup",)

        @property
        def _store_result(self) -> Any:
            raise RuntimeError("not for us")

    monkeypatch.setattr(guard, "strict", False)
    before, odd = guard.counts()["celery"], Odd()
    assert keeping._making(lambda app: odd)("app") is odd
    assert guard.counts()["celery"] == before + 1


def raising(number: int, _: object) -> None:
    raise TimeoutError(number)


def test_a_function_of_the_application_is_not_taken_for_celerys_own() -> None:
    def _handle_group_chord_error() -> bool:
        return chords.are_revoked()

    assert not _handle_group_chord_error()
