"""Tasks of a real prefork worker on Redis, each replayed on its own with broker and result backend stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drivers.celery.harness import Payments, Replayed
from tests.drivers.celery.mix import ENDED
from timetracer_otel.cassette import Segment
from timetracer_otel.replay.library import entry_of

QUICKLY = (
    "process_payment",
    "flaky",
    "hopeless",
    "about_me",
    "with_chord",
    "linked",
    "sends_by_name",
    "joins",
    "parent",
)
"""What is replayed without --long: what differs most."""


def test_every_task_that_ran_is_recorded_with_its_state(payments: Payments) -> None:
    found = payments.states()
    assert {name: found.get(name) for name in ENDED} == ENDED, payments.log
    assert all(segment.complete and not segment.dropped for segment in payments.segments())


def kind(segment: Segment) -> tuple[str, str, tuple[str, ...]]:
    """Its task, its state and what it sent."""
    entry = entry_of(segment)
    assert entry is not None
    sent = tuple(each.signature.url for each in segment.exchanges if each.type == "task.publish")
    return entry.signature.url.removeprefix("payments."), str(entry.result.get("state")), sent


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_task_replays_alone_with_broker_and_backend_stopped(
    payments: Payments, rounds: Callable[[int], int]
) -> None:
    one_of_each = {kind(segment): segment for segment in payments.segments()}
    is_short = rounds(10) < 10
    chosen = [each for (task, _, sent), each in one_of_each.items() if not is_short or task in QUICKLY]
    chosen += [each for (task, _, sent), each in one_of_each.items() if is_short and sent == ("payments.total",)]
    replayed = payments.replay_all(chosen)
    assert {segment.name: shown(replayed[segment.id]) for segment in chosen if replayed[segment.id].status} == {}


def shown(replayed: Replayed) -> tuple[object, ...]:
    return replayed.status, replayed.findings, replayed.output[-3000:]


def test_a_task_sees_itself_as_in_the_worker_and_its_traceback_is_the_same_text(payments: Payments) -> None:
    failed = payments.failed("process_payment")
    replayed = payments.replay(failed)
    entry = entry_of(failed)
    assert entry is not None
    exception = entry.result["exception"]
    assert isinstance(exception, dict)
    (cause,) = exception["causes"]
    assert replayed.status == 0, replayed.output
    assert cause == {"relation": "cause", "type": "builtins.KeyError", "message": "'card'"}
    assert (exception["type"], exception["frame"].rpartition(" ")[2]) == ("payments.Declined", "process_payment")
    indented = "".join(f"  {line}\n" if line else "\n" for line in exception["traceback"].rstrip("\n").split("\n"))
    assert indented.replace("\n\n", "\n  \n") in replayed.output


@pytest.mark.long
def test_a_changed_task_gives_exactly_the_deviations_of_the_change(
    payments: Payments, tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    segment = payments.failed("process_payment")
    changes = {
        '"no card in receipt': '"no cash in receipt',
        "raise Declined(order_id": "raise PaymentError(order_id",
        "add.delay(order_id, 1)": "add.delay(order_id, 2)",
        "    add.delay(order_id, 1)\n": "",
        "if order_id >= 10_000:": "if order_id >= 20_000:",
    }
    found = {}
    tried = list(changes.items())[: max(2, rounds(5))]
    for number, (old, new) in enumerate(tried):
        replayed = payments.changed(tmp_path / str(number), old, new).replay(segment, "--app", "payments:app")
        assert replayed.status == 1, replayed.output
        found[old] = replayed.findings
    expected = {
        '"no card in receipt': (["exception.message"], [], []),
        "raise Declined(order_id": (["exception.type", "exception.message"], [], []),
        "add.delay(order_id, 1)": (
            ["exception.type", "exception.message", "exception.causes"],
            ["publish payments.add"],
            ["publish payments.add"],
        ),
        "    add.delay(order_id, 1)\n": ([], [], ["publish payments.add"]),
        "if order_id >= 10_000:": (["state", "return_value", "exception.type", "exception.message"], [], []),
    }
    assert found == {old: expected[old] for old, _ in tried}
