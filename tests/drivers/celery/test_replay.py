"""Tasks of a real prefork worker on Redis, each replayed on its own with broker and result backend stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drivers.celery.harness import Payments, Replayed, until
from tests.drivers.celery.mix import CLIENT, ENDED, has_ended
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Segment
from timetracer_otel.replay.library import entry_of

QUICKLY = (
    *("hopeless", "about_me", "with_chord", "linked", "sends_by_name", "refused", "joins", "reads_on_the_way"),
    *("unserialisable", "grows"),
)
"""What is replayed without --long: what differs most, and no other test replays."""
MIXED = 40


def test_every_task_that_ran_is_recorded_with_its_state(payments: Payments) -> None:
    found = payments.states()
    assert {name: found.get(name) for name in ENDED} == ENDED, payments.log
    assert sum(len(runs) for runs in found.values()) >= MIXED
    assert all(segment.complete and not segment.dropped for segment in payments.segments())


def test_a_message_that_is_refused_and_one_by_name_have_their_spans_and_what_follows_is_no_child_of_theirs(
    payments: Payments,
) -> None:
    (refused,) = payments.segments("refused")
    spans = {span.name: span for span in refused.spans}
    gone, after = spans["apply_async/gone.task"], spans["apply_async/payments.add"]
    assert (gone.status, gone.parent_id, after.parent_id) == ("ERROR", refused.id, refused.id)
    (exchange,) = [each for each in refused.exchanges if each.signature.url == "gone.task"]
    exception = exchange.result["exception"]
    assert isinstance(exception, dict)
    assert (exchange.span_id, exception["type"]) == (gone.span_id, "kombu.exceptions.OperationalError")
    (by_name,) = payments.segments("sends_by_name")
    owners = {span.span_id: span.name for span in by_name.spans}
    sent = {each.signature.url: owners[each.span_id or ""] for each in by_name.exchanges if each.type == "task.publish"}
    assert sent == {name: f"apply_async/{name}" for name in ("elsewhere.task", "other.task")}


def test_what_a_receiver_of_the_application_adds_to_a_message_is_recorded_with_it(payments: Payments) -> None:
    sent = [each for segment in payments.segments() for each in segment.exchanges if each.type == "task.publish"]
    headers = [each.request.get("headers") for each in sent]
    assert headers
    assert [each.get("region") if isinstance(each, dict) else each for each in headers] == ["eu-1"] * len(headers)


def kind(segment: Segment) -> tuple[str, str, tuple[str, ...]]:
    """Its task, its state and what it sent."""
    entry = entry_of(segment)
    assert entry is not None
    sent = tuple(each.signature.url for each in segment.exchanges if each.type == "task.publish")
    return entry.signature.url.removeprefix("payments."), str(entry.result.get("state")), sent


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_of_40_mixed_tasks_replays_alone_with_broker_and_backend_stopped(
    payments: Payments, rounds: Callable[[int], int]
) -> None:
    chosen = payments.segments()
    if rounds(10) < 10:
        one_of_each = {kind(segment): segment for segment in chosen}
        chosen = [
            each for (task, _, sent), each in one_of_each.items() if task in QUICKLY or sent == ("payments.total",)
        ]
    assert_same(payments, chosen)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_so_does_each_of_200(redis: RedisServer, tmp_path: Path, rounds: Callable[[int], int]) -> None:
    if (times := rounds(5)) < 5:
        pytest.skip("with --long only")
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "4"):
        for _ in range(times):
            payments.client(CLIENT)
        until(lambda: has_ended(payments, times), "all tasks")
    redis.stop()
    assert len(payments.segments()) >= times * MIXED
    assert_same(payments, payments.segments())


def assert_same(payments: Payments, segments: list[Segment]) -> None:
    replayed = payments.replay_all(segments)
    assert {segment.name: shown(replayed[segment.id]) for segment in segments if replayed[segment.id].status} == {}


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
