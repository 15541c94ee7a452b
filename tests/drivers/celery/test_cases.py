"""The cases of Celery that need a worker: R15, R16, R17, R25, R33."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.celery.harness import Payments, entry, recorded_on_redis
from timetracer_otel.cassette import Exchange
from timetracer_otel.drivers.celery.typed import restore
from timetracer_otel.replay.library import entry_of

SWALLOWED_MAX_S = 60.0
CLIENT = """
orders_again.delay("o")
for serializer in ODD:
    passes_on.delay(serializer)
shows.apply_async((1, [Receipt()]), serializer="pickle")
"""
ENDED = {"orders_again": 6, "passes_on": 4, "shows": 5}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Payments:
    """Its Redis has been stopped."""
    return recorded_on_redis(tmp_path_factory.mktemp("odd"), CLIENT, ENDED)


def test_r15_each_attempt_of_one_task_is_a_recording_of_its_own(payments: Payments) -> None:
    attempts = payments.segments("flaky")
    entries = [entry for segment in attempts if (entry := entry_of(segment)) is not None]
    contexts = [entry.request["context"] for entry in entries]
    assert [context["retries"] for context in contexts if isinstance(context, dict)] == [0, 1, 2]
    assert len({str(context["id"]) for context in contexts if isinstance(context, dict)}) == 1
    outcomes = [segment.entry.outcome for segment in attempts if segment.entry]
    assert outcomes == ["RETRY PaymentError: f1: attempt 0", "RETRY PaymentError: f1: attempt 1", "SUCCESS"]
    assert [len(segment.exchanges) for segment in attempts] == [2, 2, 1]
    replayed = payments.replay(attempts[1])
    assert replayed.status == 0, replayed.output
    assert replayed.report["outcome"]["replayed"]["exception"]["message"] == "f1: attempt 1"


def test_r15_a_task_that_sends_itself_in_the_middle_of_its_attempts_is_not_mixed_up_with_that(odd: Payments) -> None:
    segments = odd.segments("orders_again")
    attempts: dict[str, list[Any]] = {}
    for each in segments:
        context: Any = entry(each).request["context"]
        sent = [one.signature.url for one in each.exchanges if one.type == "task.publish"]
        seen = context["retries"], entry(each).result["state"], sent
        attempts.setdefault(str(entry(each).request["args"]), []).append(seen)
    again = "payments.orders_again"
    rest = [(1, "RETRY", [again]), (2, "SUCCESS", [])]
    assert attempts == {
        "['o']": [(0, "RETRY", [again, again]), *rest],
        str(["o'", True]): [(0, "RETRY", [again]), *rest],
    }
    assert all(each.complete and each.root and each.root.status != "ERROR" for each in segments)
    replayed = odd.replay_all(segments)
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]


def as_text(exchange: Exchange) -> str:
    """Its arguments, as `shows` returns them."""
    args, kwargs = (restore(exchange.request[name]) for name in ("args", "kwargs"))
    return f"{tuple(args)!r} {kwargs!r}"


@pytest.mark.parametrize("serializer", ["json", "yaml", "msgpack", "pickle"])
def test_r17_a_worker_and_a_replay_see_the_same_arguments_by_each_serializer(serializer: str, odd: Payments) -> None:
    (sender,) = [each for each in odd.segments("passes_on") if entry(each).request["args"] == [serializer]]
    (publish,) = [each for each in sender.exchanges if each.type == "task.publish"]
    (shown,) = [each for each in odd.segments("shows") if each.trace_id == sender.trace_id]
    passed = odd.client(f'print(f\'{{tuple(ODD["{serializer}"])!r}} {{dict(again=ODD["{serializer}"])!r}}\')').strip()
    assert as_text(publish) == passed
    got = as_text(entry(shown))
    assert entry(shown).result["return_value"] == got  # by the worker
    replayed = odd.replay_all([sender, shown])
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]
    assert replayed[shown.id].report["outcome"]["replayed"]["return_value"] == got


def test_r17_what_only_pickle_carries_is_named_and_never_unpickled_by_us(odd: Payments) -> None:
    (shown,) = [each for each in odd.segments("shows") if entry(each).request["args"] != [] and "Receipt" in str(each)]
    notes, by_celery = odd.folder / "notes", "unpickled\n" * 3  # as without us: the worker, and its child twice
    assert notes.read_text() == by_celery
    replayed = odd.replay(shown, NOTES=str(notes))
    assert replayed.status not in (0, 1)
    assert "args[1][0], a payments.Receipt, could not be kept" in replayed.output
    said = odd.run("timetracer-otel", "show", f"{shown.trace_id}/{shown.id}", NOTES=str(notes))
    assert "<payments.Receipt, not kept>" in said.stdout
    assert "'python'" not in said.stdout
    assert notes.read_text() == by_celery


def test_r16_a_message_of_a_plain_shell_has_its_own_trace_and_its_headers(payments: Payments) -> None:
    (segment,) = payments.segments("about_me")
    assert segment.root is not None
    assert segment.root.parent_id is None
    value: Any = entry(segment).result["return_value"]
    assert value["tenant"] == "t7"
    assert payments.replay(segment).status == 0
    assert "timetracer: celery failed" not in payments.log
    assert "Signal handler" not in payments.log


def test_r16_a_task_of_beat_and_one_that_runs_eagerly_are_recorded(payments: Payments, tmp_path: Path) -> None:
    by_beat = [each for each in payments.segments("add") if (e := entry_of(each)) and e.request["args"] == [20, 4]]
    assert payments.replay(by_beat[0]).status == 0
    eagerly = Payments.at(tmp_path)
    eager = eagerly.client("print(process_payment.delay(7).get())", is_traced=True, EAGER="1")
    (paid,) = eagerly.segments("process_payment")
    entry = entry_of(paid)
    assert entry is not None
    assert entry.result["return_value"] == eager.strip()
    assert [each.type for each in paid.exchanges] == ["task.run", "task.run"]  # its subtask ran in it
    replayed = eagerly.replay(paid, EAGER="1")
    assert replayed.status == 0, replayed.output


def test_r25_a_child_writes_nothing_of_its_parent_and_nothing_twice(payments: Payments) -> None:
    segments = payments.segments()
    assert len({segment.id for segment in segments}) == len(segments)
    assert len({exchange.id for segment in segments for exchange in segment.exchanges}) == sum(
        len(segment.exchanges) for segment in segments
    )
    processes = {segment.process.id: segment.process for segment in segments}
    assert len({process.parent for process in processes.values()}) == 1
    assert not {process.parent for process in processes.values()} & processes.keys()


def test_r33_a_miss_that_a_task_swallows_or_retries_fails_the_replay_at_once(
    payments: Payments, tmp_path: Path
) -> None:
    swallowing = "try:\n        add.delay(order_id, 2)\n    except Exception:\n        pass"
    swallowed = payments.changed(tmp_path / "swallowed", "add.delay(order_id, 1)", swallowing)
    flaky = 'raise PaymentError(f"{order}: attempt {self.request.retries}")\n    return'
    retried = payments.changed(tmp_path / "retried", flaky, "add.delay(1, 5)\n        " + flaky)
    began = time.monotonic()
    first = swallowed.replay(payments.failed("process_payment"), "--app", "payments:app")
    second = retried.replay(payments.segments("flaky")[0], "--app", "payments:app")
    assert time.monotonic() - began < SWALLOWED_MAX_S
    assert (first.status, second.status) == (1, 1), first.output + second.output
    assert first.findings == ([], ["publish payments.add"], ["publish payments.add"])
    (miss,) = first.report["misses"]
    assert [(each["path"], each["recorded"], each["asked"]) for each in miss["differences"]] == [
        ("args.items[1]", 1, 2)
    ]
    assert "publish payments.add" in second.findings[1]
