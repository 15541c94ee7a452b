"""A worker whose broker and results are in the Redis that its tasks ask as well: both drivers are at work, and each
request is recorded by one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery
from celery.backends.redis import RedisBackend

from tests.drivers.redis.harness import ROOT, SAME
from tests.drivers.redis.taping import taps
from tests.launching import LAUNCHER, environment, recording
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Segment
from timetracer_otel.drivers.redis import hooks, wires
from timetracer_otel.store import Store

TIMEOUT_S = 120
OFF = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiobotocore,asyncpg,botocore,fastapi,psycopg,pymongo,starlette"}
WORKER = ("worker", "--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "WARNING")


def until(is_true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def worker(store: Path, url: str) -> Iterator[None]:
    """Ends as a deployment ends it: with what it has begun done, and written."""
    command = [*LAUNCHER, sys.executable, "-m", "celery", "-A", "tests.drivers.redis.tasks", *WORKER]
    variables = recording(store, REDIS=url, C_FORCE_ROOT="1", PYTHONPATH=str(ROOT), **OFF)
    running = subprocess.Popen(command, cwd=store.parent, env=variables)
    try:
        yield
        running.terminate()
        assert running.wait(TIMEOUT_S) == 0
    finally:
        running.kill()
        running.wait()


def segments_in(store: Path) -> list[Segment]:
    traces = [folder.name for folder in store.iterdir() if len(folder.name) == 32]
    opened = Store(store)
    return [segment for trace in traces for segment in opened.open_cassette(trace)[0].segments]


def replayed(store: Path, segment: Segment) -> dict[str, object]:
    report = store.parent / f"{segment.id}.json"
    ours = [sys.executable, "-c", "from timetracer_otel.cli import main; main()"]
    subprocess.run(
        [*ours, "replay", segment.name, "--app", "tests.drivers.redis.tasks:app", "--json", str(report)],
        cwd=store.parent,
        env=environment(TIMETRACER_STORE=str(store), PYTHONPATH=str(ROOT), **OFF),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    found: dict[str, object] = json.loads(report.read_text())
    return found


def test_what_celery_itself_asks_redis_is_no_exchange_and_what_a_task_asks_is_one(
    redis: RedisServer, tmp_path: Path
) -> None:
    store, url = tmp_path / "store", f"redis://127.0.0.1:{redis.port}"
    with worker(store, url), Celery(broker=f"{url}/0", backend=f"{url}/1") as client:
        assert client.send_task("tasks.tally", (41,)).get(timeout=TIMEOUT_S) == 1
        until(lambda: redis.command("DBSIZE") and _noted(redis), "the second task")
    redis.stop()
    entries = {segment.entry.name: segment for segment in segments_in(store) if segment.entry is not None}
    tally, note = entries["run/tasks.tally"], entries["run/tasks.note"]
    said = [each.signature for each in tally.exchanges if each.signature.lib != "celery"]
    assert {each.lib for each in said} == {"redis"}
    assert [each.method for each in said if "SCRIPT" not in each.method and each.method != "EVALSHA"] == [
        "SET",  # the lock
        "SET",
        "INCRBY",
    ]
    assert [each.signature.method for each in note.exchanges if each.signature.lib == "redis"] == ["RPUSH"]
    assert [each.type for each in tally.exchanges if each.signature.lib == "celery"] == ["task.run", "task.publish"]
    others = [
        each.signature.method
        for segment in segments_in(store)
        for each in segment.exchanges
        if each.signature.lib == "redis" and segment.id not in (tally.id, note.id)
    ]
    assert others == []
    report = replayed(store, tally)
    assert {name: report[name] for name in SAME} == SAME


def test_what_a_receiver_asks_after_the_end_of_its_task_is_told_and_is_no_deviation(
    redis: RedisServer, tmp_path: Path
) -> None:
    store, url = tmp_path / "store", f"redis://127.0.0.1:{redis.port}"
    with worker(store, url), Celery(broker=f"{url}/0", backend=f"{url}/1") as client:
        assert client.send_task("tasks.tidy", (7,)).get(timeout=TIMEOUT_S) == 7
    redis.stop()
    (tidy,) = segments_in(store)
    assert [each.type for each in tidy.exchanges] == ["task.run"]
    report = replayed(store, tidy)
    assert (report["verdict"], report["misses"]) == ("same", [])
    (told,) = [line for line in report["uncontrolled"] if "INCRBY" in line]  # type: ignore[attr-defined]  # it is a list
    assert "tasks.py" in told
    assert told.endswith("clean_up outside of the entry after its end: not recorded, and refused")


def _noted(redis: RedisServer) -> bool:
    return b"notes" in redis.command("EVAL", "redis.call('SELECT', 2); return redis.call('KEYS', '*')", "0")


def test_a_connection_of_celery_is_not_even_listened_to(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> None:
        raise AssertionError("the taps were asked")

    for owner, name in ((hooks, "packed"), (hooks, "sending"), (hooks, "answered"), (wires, "listen")):
        monkeypatch.setattr(owner, name, asked)
    with taps():  # strict: what fails in a tap is raised
        backend = RedisBackend(app=Celery(), url=f"redis://127.0.0.1:{redis.port}/1")
        connection = backend.client.connection_pool.get_connection()
        connection.send_command("ECHO", "hello")
        assert connection.read_response() == b"hello"
        packed = connection.pack_commands([("ECHO", "one"), ("ECHO", "two")])
        connection.send_packed_command(packed)
        assert [connection.read_response(), connection.read_response()] == [b"one", b"two"]
        connection.disconnect()


def test_a_stand_in_for_the_pool_of_a_backend_is_left_as_it_is() -> None:
    class Pool:
        def __init__(self, **parameters: object) -> None:
            self.parameters = parameters

    with taps():  # strict: what fails in a tap is raised
        backend = RedisBackend(app=Celery(), url="redis://127.0.0.1:1/0", connection_pool=Pool)
        assert vars(backend._get_pool(port=1)) == {"parameters": {"port": 1}}
