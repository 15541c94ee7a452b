"""The application, its broker and its result backend see the same with and without us, and though all of ours fails."""

from __future__ import annotations

import base64
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.celery import sabotage
from tests.drivers.celery.harness import Payments, until
from tests.servers.redis import RedisServer

PUBLISH = """
from celery import chain, chord, group
from datetime import datetime, timezone
def fixed(number):
    return f"00000000-0000-0000-0000-{number:012}"
about_me.apply_async((1, "two"), {"three": 3.0}, task_id=fixed(1), headers={"tenant": "t"})
add.apply_async((1, 2), task_id=fixed(2), eta=datetime(2040, 1, 1, tzinfo=timezone.utc))
app.send_task("nobody.knows", ({"a": [1.5, None]},), task_id=fixed(3), link=add.s(1), link_error=told.s("x"))
chain(add.s(1, 2).set(task_id=fixed(4)), add.s(3).set(task_id=fixed(5))).apply_async()
add.apply_async((b"bytes", {1, 2}), task_id=fixed(6), serializer="pickle", compression="zlib")
"""
GATHER = """
from celery.result import ResultSet
done = app.AsyncResult("00000000-0000-0000-0000-000000000007")
app.backend.mark_as_done(done.id, 1)
gathered = ResultSet([], app=app)
gathered.add(done)
gathered.then(lambda results: print("all are there"))
print(done.get(timeout=30))
metas = gathered.iter_native()
print("to be read")
print([meta["status"] for _, meta in metas])
"""
"""A set that was filled one by one is complete as soon as somebody asks for its results, before they are read."""
RESULTS = """
def fixed(number):
    return f"00000000-0000-0000-0000-{number:012}"
results = [add.apply_async((1, 2), task_id=fixed(1)), refuse.apply_async((5,), task_id=fixed(2))]
results += [process_payment.apply_async((12345,), task_id=fixed(3)), flaky.apply_async(("f",), task_id=fixed(4))]
results += [parent.apply_async((3,), task_id=fixed(5)), waits_in_vain.apply_async(task_id=fixed(6))]
results += [joins.apply_async((3,), task_id=fixed(7)), linked.apply_async((3,), task_id=fixed(8))]
results += [sleeps.apply_async((60.0,), task_id=fixed(9), time_limit=1), exits.apply_async(task_id=fixed(10))]
results += [comes_to_an_end.apply_async(task_id=fixed(11)), fails_chords.apply_async((3,), task_id=fixed(12))]
results += [refused.apply_async((3,), task_id=fixed(13)), retries_itself.apply_async(("r",), task_id=fixed(14))]
for each in results:
    try:
        print(each.id[-2:], repr(each.get(timeout=60)))
    except Exception as error:
        print(each.id[-2:], type(error).__name__, re.sub("Job: .*", "", str(error)))
"""
COUNT = 14
VARYING = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-9a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|gen\d+@")
TRACE = ("traceparent", "tracestate", "baggage")


def queued(redis: RedisServer) -> list[Any]:
    """The messages of the queue, without what differs in each run."""
    raw = redis.command("LRANGE", "celery", "0", "-1").decode()
    found = []
    for line in raw.split("\r\n"):
        if line.startswith("{"):
            message = json.loads(VARYING.sub("*", line))
            message["body"] = VARYING.sub("*", base64.b64decode(message["body"]).decode("latin-1"))
            message["headers"] = {name: value for name, value in message["headers"].items() if name not in TRACE}
            found.append(json.dumps(message))
    return found


def test_messages_on_the_broker_and_calls_of_a_set_are_the_same_with_and_without_us(
    redis: RedisServer, tmp_path: Path
) -> None:
    payments = Payments.at(tmp_path, BROKER=redis.url(), BACKEND=redis.url(1))
    seen, printed = [], []
    for exporter in ("none", "timetracer"):
        printed.append(payments.client(PUBLISH + GATHER, is_traced=True, OTEL_TRACES_EXPORTER=exporter))
        seen.append(queued(redis))
        redis.command("FLUSHALL")
    assert len(seen[0]) == 5
    assert seen[0] == seen[1]
    assert printed == ["1\nall are there\nto be read\n['SUCCESS']\n"] * 2


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Of each contestant."""
    folder = tmp_path_factory.mktemp("contest")
    with ThreadPoolExecutor(3) as pool:
        found = pool.map(lambda name: results(folder / name, **CONTESTANTS[name]), CONTESTANTS)
        return dict(zip(CONTESTANTS, found, strict=True))


HOW = ("within", "first", "rest", "last")
CONTESTANTS = {
    "without": {"OTEL_TRACES_EXPORTER": "none"},
    "with": {"OTEL_TRACES_EXPORTER": "timetracer"},
    **{f"sabotaged {how}": {"OTEL_TRACES_EXPORTER": "timetracer", "SABOTAGE": how} for how in HOW},
}


@pytest.mark.parametrize("name", list(CONTESTANTS)[1:])
def test_results_are_the_same_without_us_with_us_and_though_every_tap_raises(name: str, seen: dict[str, Seen]) -> None:
    without, other = seen["without"], seen[name]
    assert len(without.printed.splitlines()) == COUNT
    assert other.printed == without.printed
    assert other.documents == without.documents
    assert ("celery failed (Sabotage" in other.log) == ("sabotaged" in name)
    assert "Signal handler" not in other.log


def test_every_guarded_function_of_the_taps_was_made_to_raise(seen: dict[str, Seen]) -> None:
    assert set().union(*(each.raised for each in seen.values())) == {name for name, _ in sabotage.guards()}


@dataclass(frozen=True, slots=True)
class Seen:
    printed: str
    """By the client."""
    documents: list[Any]
    """Of the result backend."""
    log: str
    raised: set[str]


def results(folder: Path, **variables: str) -> Seen:
    folder.mkdir()
    redis = RedisServer()
    try:
        payments = Payments.at(folder, BROKER=redis.url(), BACKEND=redis.url(1))
        shutil.copy(Path(__file__).with_name("sabotage.py"), folder)
        with payments.worker("-c", "4", **variables):
            printed = payments.client("import re\n" + RESULTS)
            documents = [document(redis, number, folder) for number in range(1, COUNT + 1)]
            until(lambda: payments.client("print(add.delay(1, 1).get(timeout=30))") == "2\n", "a worker that is well")
    finally:
        redis.stop()
    raised = folder / "raised"
    names = set(raised.read_text().split()) if raised.exists() else set()
    return Seen(VARYING.sub("*", printed), documents, payments.log, names)


OURS = re.compile(r'  File "[^"]*/timetracer_otel/[^"]*", line \d+, in .*\n(?:    .*\n)+')
"""Our frame stands in a traceback that goes through `.get()`: docs/decisions/0007."""


def document(redis: RedisServer, number: int, folder: Path) -> dict[str, Any]:
    raw = redis.value(1, f"celery-task-meta-00000000-0000-0000-0000-{number:012}")
    found: dict[str, Any] = json.loads(re.sub(r"Job: \d+", "Job: *", VARYING.sub("*", raw.replace(str(folder), "*"))))
    found["traceback"] = OURS.sub("", found["traceback"] or "")
    assert found.pop("date_done")
    return found
