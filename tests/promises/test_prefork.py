"""Case R14: a real Celery worker with prefork children, asked to stop in the middle, recycling them, losing them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.launching import instrumented
from tests.promises.serving import COMMANDS, TIMEOUT_S, kill, recorded, shop, start, until, variables
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Segment
from timetracer_otel.store import Store
from timetracer_otel.store.adoption import Unfinished, unfinished

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

TASKS = 20
QUERIES = ["BEGIN", "INSERT INTO charges VALUES ($1)", "COMMIT"]


@pytest.fixture
def charges(postgres: PostgresServer) -> Iterator[psycopg.Connection]:
    """The table that the tasks write to."""
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE charges (number int)")
        yield connection
        connection.execute("DROP TABLE charges")


def numbers(charges: psycopg.Connection) -> list[int]:
    return [row[0] for row in charges.execute("SELECT number FROM charges ORDER BY number")]


def publish(folder: Path, name: str, count: int, **more: str) -> None:
    """From a process that does not trace: each task begins a trace of its own."""
    command = [sys.executable, "-m", "shop.tasks", name, str(count)]
    subprocess.run(command, cwd=folder, env=variables(folder, **more), check=True, timeout=TIMEOUT_S)


@contextlib.contextmanager
def worker(folder: Path, dsn: str, options: str = "", **more: str) -> Iterator[subprocess.Popen[bytes]]:
    more |= {"SHOP_DSN": dsn, "C_FORCE_ROOT": "1", **instrumented("celery", "psycopg")}
    process = start(f"{COMMANDS['Celery']} {options}", folder, folder / "worker.log", **more)
    try:
        yield process
    finally:
        kill(process)


@pytest.mark.parametrize(
    ("options", "stops_at"),
    [("--max-tasks-per-child 1", 4), ("", 4), ("--max-tasks-per-child 1", TASKS)],
    ids=["children of one task, in the middle", "in the middle", "children of one task, in the end"],
)
def test_r14_every_task_that_ran_before_a_warm_shutdown_has_its_cassette_however_long_children_live(
    charges: psycopg.Connection,
    tmp_path: Path,
    postgres: PostgresServer,
    redis: RedisServer,
    options: str,
    stops_at: int,
) -> None:
    broker = {"SHOP_BROKER": redis.url()}
    publish(shop(tmp_path), "charge", TASKS, **broker)
    with worker(tmp_path, postgres.dsn, options, **broker) as process:
        until(lambda: len(numbers(charges)) >= stops_at, f"{stops_at} tasks")
        process.send_signal(signal.SIGTERM)
        process.wait(TIMEOUT_S)
    log = (tmp_path / "worker.log").read_text()
    assert process.returncode == 0, log
    assert stops_at <= len(numbers(charges)) <= TASKS
    assert recorded_charges(tmp_path) == numbers(charges), log
    assert unfinished(tmp_path / "store") == Unfinished(processes=0, living=0, dead=0)


def recorded_charges(folder: Path) -> list[int]:
    found = []
    for (segment,) in recorded(folder / "store"):
        assert segment.root is not None
        assert (segment.root.name, segment.root.kind) == ("run/shop.tasks.charge", "CONSUMER")
        found.append(charged(segment, QUERIES))
    return sorted(found)


def charged(segment: Segment, queries: list[str]) -> int:
    """The number that a charge left behind; it asked nothing but `queries`."""
    asked = [exchange for exchange in segment.exchanges if exchange.type == "db.query"]
    assert [exchange.request["statement"] for exchange in asked] == queries
    parameters = asked[1].request["parameters"]
    assert isinstance(parameters, list)
    return int(str(parameters[0]))


def test_r14_a_charge_is_kept_whose_child_linux_kills_when_the_thread_ends_that_forked_it(
    charges: psycopg.Connection, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Children of Celery ask for SIGKILL at the end of their parent (PR_SET_PDEATHSIG), which is for Linux the thread
    that forked them. Where the broker has no event loop, that is the pool's supervisor for all but the first ones: it
    ends at the beginning of a warm shutdown, whatever they are at."""
    publish(shop(tmp_path), "charge", 1)
    with worker(tmp_path, postgres.dsn, "-c 1 --max-tasks-per-child 1") as process:
        until(lambda: len(numbers(charges)) == 1, "the first child")
        publish(tmp_path, "linger", 1)
        until(lambda: len(numbers(charges)) == 2 and spooled(tmp_path / "store") == 4, "the second child")
        process.send_signal(signal.SIGTERM)
        until(lambda: unfinished(tmp_path / "store").dead, "the kernel has killed it")
    found = [trace for trace in listed(tmp_path) if exchanges(trace) > 1]  # else what the main process says of it
    whole, cut = sorted(found, key=lambda trace: not trace["complete"])
    assert (whole["complete"], cut["complete"]) == (True, False)
    assert (exchanges(whole), exchanges(cut)) == (4, 4)
    (segment,) = Store(tmp_path / "store").open_cassette(cut["trace_id"])[0].segments
    assert charged(segment, QUERIES) == 0


def spooled(store: Path) -> int:
    """How many exchanges lie in `pending/` for the parts that they will be in."""
    spools = [path.read_bytes() for path in store.glob("pending/*/*.spool")]
    return sum(spool.count(b"\n") - 1 for spool in spools)  # the first line says whose they are


def test_r14_what_a_child_had_captured_when_it_was_killed_is_adopted_and_incomplete(
    charges: psycopg.Connection, tmp_path: Path, postgres: PostgresServer
) -> None:
    publish(shop(tmp_path), "perish", 2)
    publish(tmp_path, "charge", 4)
    log = tmp_path / "worker.log"
    with worker(tmp_path, postgres.dsn):
        until(lambda: log.read_text().count("signal 9 (SIGKILL)") == 2 and len(numbers(charges)) == 4, "the tasks")
        until(lambda: len(listed(tmp_path)) == 8, "what the main process says of the lost ones")
        traces = listed(tmp_path)  # while the worker lives on
    # What the children had been asked and had asked (1 + 3); and the tasks themselves, from the main process.
    assert sorted(exchanges(trace) for trace in traces if not trace["complete"]) == [1, 1, 4, 4]
    assert [exchanges(trace) for trace in traces if trace["complete"]] == [4] * 4
    assert listed(tmp_path) == traces


def listed(folder: Path) -> list[dict[str, Any]]:
    """What `timetracer-otel list --json` says."""
    command = ["timetracer-otel", "list", "--json"]
    listing = subprocess.run(
        command, env=variables(folder), capture_output=True, text=True, check=True, timeout=TIMEOUT_S
    )
    found: list[dict[str, Any]] = json.loads(listing.stdout)
    return found


def exchanges(trace: dict[str, Any]) -> int:
    (segment,) = trace["segments"]
    return int(segment["exchanges"])
