"""Messages that never become a task, tasks that end without a result or run twice; other brokers and backends."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.drivers.celery.harness import Payments, until
from tests.servers.redis import RedisServer
from timetracer_otel.replay.library import entry_of

ODD = """
expired = add.apply_async((1, 1), expires=-5)
revoked = add.apply_async((2, 2), countdown=2)
app.control.revoke(revoked.id)
app.send_task("nobody.knows", (3,))
print(late.delay(5).get(timeout=60))
print(add.delay(4, 4).get(timeout=60))
for each in (expired, revoked):
    try:
        each.get(timeout=60)
    except Exception as error:
        print(type(error).__name__)
"""
OUTSIDE = """
for each in [pages.delay(), (naps.s(0) | add.s(1, 1)).apply_async().parent, unserialisable.delay()]:
    try:
        each.get(timeout=60)
    except Exception as error:
        print(type(error).__name__)
"""
ENDS = """
for number in range({count}):
    ignores.delay(), rejects.delay(), unpicklable.delay()
    revoked = add.apply_async((number, 0), countdown=2)
    app.control.revoke(revoked.id)
add.apply_async((1, 1), countdown=2.5).get(timeout=90)
print(keeps.delay().get(timeout=90))
"""
RECORDED = 3
"""Of the four kinds of tasks: what is revoked never comes to a child."""
GROWTH_MAX_KIB = 2 * 1024
"""Of the worker, more than without us. Its child grows by 100 MB without us too, until Python collects what failed."""
OBJECTS_MAX = 3
"""For a task, more than without us: its segment is remembered for what comes late, up to `CLOSED_MAX`; what is kept of
an exception, with its frames, would be more."""
OTHERS = """
for each in [process_payment.delay(12345), parent.delay(20), chained.delay(1)]:
    try:
        each.get(timeout=60)
    except Exception:
        pass
"""


def test_r14_odd_ends_leave_the_worker_well_and_a_redelivered_task_replays(redis: RedisServer, tmp_path: Path) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "1"):
        printed = payments.client(ODD)
    redis.stop()
    assert printed.split("\n") == ["[5, True]", "8", "TaskRevokedError", "TaskRevokedError", ""]
    assert payments.states().keys() == {"late", "add"}
    (twice,) = [each for each in payments.segments("late") if each.root is not None]
    entry = entry_of(twice)
    assert entry is not None
    assert entry.result["return_value"] == [5, True]
    assert payments.replay(twice).status == 0


def test_what_is_raised_outside_of_a_task_s_body_is_its_failure_as_it_is_celery_s(
    redis: RedisServer, tmp_path: Path
) -> None:
    """By a hook, by sending the next of a chain that takes other arguments, by the result's serializer."""
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "1"):
        printed = payments.client(OUTSIDE)
    redis.stop()
    assert printed.split() == ["KeyError", "TypeError", "EncodeError"]
    segments = [payments.failed(task) for task in ("pages", "naps", "unserialisable")]
    outcomes = [each.entry.outcome for each in segments if each.entry is not None]
    assert outcomes[0] == "FAILURE RuntimeError: the pager is down"
    assert re.match(r"FAILURE TypeError: add\(\) takes 2 positional arguments but 3 were given", outcomes[1])
    assert outcomes[2].startswith("FAILURE EncodeError: ")
    for segment in segments:
        replayed = payments.replay(segment)
        assert replayed.status == 0, replayed.output


def test_what_a_task_asks_the_backend_for_past_its_results_is_a_miss_that_says_so(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    with payments.worker("-c", "1"):
        payments.client("assert counts.delay().get(timeout=60) == 1")
    redis.stop()
    (segment,) = payments.segments("counts")
    replayed = payments.replay(segment)
    assert (replayed.status, replayed.findings[1]) == (1, ["app.backend.client"]), replayed.output
    assert "what goes to the backend past its results is not recorded" in replayed.output


@pytest.mark.long
def test_the_memory_of_a_worker_grows_by_odd_ends_no_more_than_without_us(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    if (count := rounds(250)) < 250:
        pytest.skip("with --long only")
    exporters = ("none", "timetracer")
    with ThreadPoolExecutor(2) as pool:
        without, recorded = pool.map(lambda each: grown(tmp_path / each, each, count), exporters)
    assert recorded[0] - without[0] < GROWTH_MAX_KIB
    assert recorded[1] - without[1] < OBJECTS_MAX * RECORDED * count


def grown(folder: Path, exporter: str, count: int) -> tuple[int, int]:
    """KiB of a worker, and objects that its child keeps, over so many tasks of each kind."""
    folder.mkdir()
    redis = RedisServer()
    try:
        payments = Payments.at(folder, BROKER=redis.url(), BACKEND=redis.url(1))
        with payments.worker("-c", "1", OTEL_TRACES_EXPORTER=exporter) as worker:
            was = int(payments.client(ENDS.format(count=50))), memory_kib(worker.pid)
            now = int(payments.client(ENDS.format(count=count))), memory_kib(worker.pid)
            return now[1] - was[1], now[0] - was[0]
    finally:
        redis.stop()


def memory_kib(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1])


@pytest.mark.long
def test_tasks_on_the_file_system_with_results_in_a_database_replay(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    if rounds(10) < 10:
        pytest.skip("with --long only: test_sqs reads results of a database")
    for folder in ("queue", "control"):
        (tmp_path / folder).mkdir()
    payments = Payments.at(tmp_path, BROKER="filesystem://", BACKEND=f"db+sqlite:///{tmp_path}/results.db")
    with payments.worker("-c", "2"):
        payments.client(OTHERS)
        until(lambda: len(payments.states().get("add", ())) == 5, "all tasks")
    (tmp_path / "results.db").unlink()
    replayed = payments.replay_all([payments.failed("process_payment"), *payments.segments("parent")])
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]


def test_tasks_whose_results_nobody_keeps_replay(redis: RedisServer, tmp_path: Path) -> None:
    """With results disabled there is none to wait for; and chords are refused."""
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND="disabled://")
    ended = {"process_payment": ["FAILURE"], "flaky": ["RETRY", "RETRY", "SUCCESS"], "with_chord": ["FAILURE"]}
    with payments.worker("-c", "2"):
        payments.client("process_payment.delay(12345), flaky.delay('f'), with_chord.delay(5)")
        until(lambda: {task: payments.states().get(task) for task in ended} == ended, "all tasks")
    redis.stop()
    chosen = [each for task in ended for each in payments.segments(task)]
    replayed = payments.replay_all(chosen, BACKEND="disabled://")
    assert {each.status for each in replayed.values()} == {0}, [each.output for each in replayed.values()]
