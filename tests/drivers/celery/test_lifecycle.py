"""Workers and children that end in every way: what ended is kept, what ran is there and marked."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.drivers.celery.harness import Payments, until
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Segment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

LOSE = """
import os, signal
exits.delay()
sleeps.apply_async((3600.0,), time_limit=1)
sleeps.apply_async((3601.0,), soft_time_limit=1)
victim = sleeps.delay(3602.0)
for number in range(4):
    add.delay(number, 0)
print(victim.id)
"""


SOFT = "run/payments.sleeps FAILURE SoftTimeLimitExceeded: SoftTimeLimitExceeded()"


def of(payments: Payments, name: str) -> list[Segment]:
    return [each for each in payments.segments() if each.entry and each.entry.name == name]


def outcomes(payments: Payments) -> Counter[str]:
    return Counter(f"{each.entry.name} {each.entry.outcome}" for each in payments.segments() if each.entry)


def test_r14_a_task_whose_process_dies_is_there_with_its_arguments_and_the_worker_goes_on(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "4"):
        victim = payments.client(LOSE).strip()
        until(lambda: "3602" in started_by(payments, victim), "the victim")
        os.kill(int(started_by(payments, victim).split()[0]), signal.SIGKILL)
        until(lambda: len(of(payments, "lost/payments.sleeps")) == 2, "the lost tasks")
        until(lambda: outcomes(payments)[SOFT], "the task over its soft limit")
        payments.client("assert add.delay(1, 1).get(timeout=30) == 2")  # the worker is well
    redis.stop()
    found = outcomes(payments)
    assert found["run/payments.add SUCCESS"] == 6
    assert found[SOFT] == 1
    (gone,) = of(payments, "lost/payments.exits")
    assert gone.entry is not None
    assert gone.entry.outcome.startswith("LOST WorkerLostError: Worker exited prematurely: exitcode 3")
    arguments = {str(each.exchanges[0].request["args"]) for each in of(payments, "lost/payments.sleeps")}
    assert arguments == {"[3600.0]", "[3602.0]"}
    until(lambda: of(payments, "run/payments.exits"), "what the child had asked until then")
    (cut,) = of(payments, "run/payments.exits")
    assert [each.type for each in cut.exchanges] == ["task.run", "task.publish"]
    replayed = [payments.replay(gone), payments.replay(cut)]
    assert [each.report["verdict"] for each in replayed] == ["inconclusive"] * 2, [each.output for each in replayed]
    assert "the replaying process ended early, with exit code 3" in replayed[1].output  # it ran, up to its end
    assert replayed[1].findings == ([], [], [])
    (limited,) = [each for each in of(payments, "run/payments.sleeps") if each.entry and each.complete]
    again = payments.replay(limited)
    assert (again.status, again.findings) == (0, ([], [], [])), again.output
    goes_on = payments.changed(tmp_path / "on", "os._exit(3)", "add.delay(40, 3)").replay(cut, "--app", "payments:app")
    assert (goes_on.status, goes_on.findings) == (3, ([], ["publish payments.add"], [])), goes_on.output


def started_by(payments: Payments, task_id: str) -> str:
    """`<pid> <seconds>` of the process that sleeps for that task; empty before."""
    notes = payments.folder / f"{task_id}.pid"
    return notes.read_text() if notes.exists() else ""


def test_r14_children_of_one_task_and_a_warm_shutdown_lose_nothing(redis: RedisServer, tmp_path: Path) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    payments.client("is_prepared.delay()\nfor number in range(11): add.delay(number, 0)")
    with payments.worker("-c", "2", "--max-tasks-per-child", "1") as worker:
        until(lambda: payments.log.count("succeeded") >= 4, "four tasks")
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    redis.stop()
    done = payments.log.count("succeeded")
    assert 4 <= done <= 12
    assert outcomes(payments) == {"run/payments.is_prepared SUCCESS": 1, "run/payments.add SUCCESS": done - 1}
    assert re.search(r"is_prepared\[\S+ succeeded in \S+: True", payments.log)
    assert len({segment.process.pid for segment in payments.segments()}) == done
    assert all(segment.complete for segment in payments.segments())


TERMINATE = """
running = [sleeps.delay(3600.0 + number) for number in range(2)]
while not all(os.path.exists(f"{each.id}.pid") for each in running):
    time.sleep(0.1)
running[0].revoke(terminate=True)
running[1].revoke(terminate=True, signal="SIGKILL")
import ways
print(ways.comes_again.delay().get(timeout=60), add.delay(1, 1).get(timeout=60))
"""


def test_r14_tasks_that_a_revoke_terminates_are_there_marked_and_one_that_is_rejected_comes_again(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "2", "-I", "ways"):
        assert payments.client(TERMINATE) == "True 2\n"
        until(lambda: len(of(payments, "lost/payments.sleeps")) == 2, "the terminated tasks")
        until(lambda: len(of(payments, "run/payments.comes_again")) == 2, "the rejected task")
    redis.stop()
    lost = of(payments, "lost/payments.sleeps")
    assert sorted(each.entry.outcome for each in lost if each.entry) == ["LOST Terminated: 15", "LOST Terminated: 9"]
    assert not any(each.complete for each in lost)
    assert payments.states()["comes_again"] == ["REJECTED", "SUCCESS"]
    replayed = payments.replay_all(payments.segments("comes_again"))
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]


def test_r14_a_cold_shutdown_loses_nothing_that_ended_and_marks_what_ran(redis: RedisServer, tmp_path: Path) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "2") as worker:
        payments.client("sleeps.delay(3600.0); [add.delay(n, 1).get(timeout=60) for n in range(4)]")
        until(lambda: list(tmp_path.glob("*.pid")), "the task that sleeps")
        worker.send_signal(signal.SIGQUIT)
        worker.wait(60)
    redis.stop()
    assert "Cold shutdown" in payments.log
    assert payments.states()["add"] == ["SUCCESS"] * 4
    assert all(each.complete for each in payments.segments("add"))
    (lost,), (cut,) = of(payments, "lost/payments.sleeps"), of(payments, "run/payments.sleeps")
    assert (lost.complete, cut.complete) == (False, False)
    assert str(lost.exchanges[0].request["args"]) == str(cut.exchanges[0].request["args"]) == "[3600.0]"


GEVENT = {"OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "patch_all"}
"""The launcher imports Celery before Celery can patch for itself."""


@pytest.mark.long
@pytest.mark.parametrize("pool", ["threads", "solo", "gevent"])
def test_every_pool_records_and_its_tasks_replay(
    redis: RedisServer, tmp_path: Path, pool: str, rounds: Callable[[int], int]
) -> None:
    if pool != "threads" and rounds(10) < 10:
        pytest.skip("with --long only")
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-P", pool, "-c", "2", **(GEVENT if pool == "gevent" else {})):
        payments.client("for each in [flaky.delay('f'), process_payment.delay(7)]: each.get(timeout=60)")
        until(lambda: sum(outcomes(payments).values()) == 5, "all tasks")
    redis.stop()
    states = [payments.states()[task] for task in ("flaky", "process_payment", "add")]
    assert states == [["RETRY", "RETRY", "SUCCESS"], ["SUCCESS"], ["SUCCESS"]]
    replayed = payments.replay(payments.segments("flaky")[1])
    assert replayed.status == 0, replayed.output


def test_a_worker_of_greenlets_under_load_loses_no_task_and_ends_when_it_is_asked_to(
    redis: RedisServer, tmp_path: Path
) -> None:
    """Half of the tasks publish the other half; all greenlets share one connection pool and one writer."""
    pytest.importorskip("gevent")
    payments, count = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1)), 60
    with payments.worker("-P", "gevent", "-c", "50", **GEVENT) as worker:
        payments.client(f"for one in [process_payment.delay(n) for n in range({count})]: one.get(timeout=60)")
        until(lambda: payments.log.count("succeeded") == 2 * count, "all tasks")
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
    redis.stop()
    assert worker.returncode == 0, payments.log
    assert "failed (" not in payments.log
    for task, calls in (("process_payment", ["task.run", "task.publish"]), ("add", ["task.run"])):
        found = payments.segments(task)
        assert [each.complete for each in found] == [True] * count
        assert [[call.type for call in each.exchanges] for each in found] == [calls] * count
        assert sorted(str(each.exchanges[0].request["args"]) for each in found) == sorted(
            str([number] if task == "process_payment" else [number, 1]) for number in range(count)
        )
