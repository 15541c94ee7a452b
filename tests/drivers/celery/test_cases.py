"""The cases of Celery that need a worker: R15, R16, R25, R33."""

from __future__ import annotations

import time
from pathlib import Path

from tests.drivers.celery.harness import Payments
from timetracer_otel.replay.library import entry_of

SWALLOWED_MAX_S = 60.0


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
