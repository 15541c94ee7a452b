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

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

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


def publish(folder: Path, name: str, count: int) -> None:
    """From a process that does not trace: each task begins a trace of its own."""
    command = [sys.executable, "-m", "shop.tasks", name, str(count)]
    subprocess.run(command, cwd=folder, env=variables(folder), check=True, timeout=TIMEOUT_S)


@contextlib.contextmanager
def worker(folder: Path, dsn: str, options: str = "") -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "worker.log"
    with_celery = instrumented("celery", "psycopg")
    process = start(f"{COMMANDS['Celery']} {options}", folder, log, SHOP_DSN=dsn, C_FORCE_ROOT="1", **with_celery)
    try:
        yield process
    finally:
        kill(process)


def test_r14_every_task_that_ran_before_a_warm_shutdown_has_its_cassette_though_children_live_for_one_task(
    charges: psycopg.Connection, tmp_path: Path, postgres: PostgresServer
) -> None:
    # Celery kills the children that it forked last when it is asked to stop; now and then one has just committed.
    for attempt in range(4):
        charges.execute("TRUNCATE charges")
        folder = tmp_path / str(attempt)
        folder.mkdir()
        publish(shop(folder), "charge", 12)
        with worker(folder, postgres.dsn, "--max-tasks-per-child 1") as process:
            until(lambda: len(numbers(charges)) >= 4, "four tasks")
            process.send_signal(signal.SIGTERM)
            has_ended = ends(process)
        log = (folder / "worker.log").read_text()
        if has_ended and recorded_charges(folder) == numbers(charges):
            break
    assert 4 <= len(numbers(charges)) <= 12
    assert recorded_charges(folder) == numbers(charges), log


def ends(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(TIMEOUT_S / 3)
    except subprocess.TimeoutExpired:
        return False
    return True


def recorded_charges(folder: Path) -> list[int]:
    found = []
    for (segment,) in recorded(folder / "store"):
        assert segment.root is not None
        assert (segment.root.name, segment.root.kind) == ("run/shop.tasks.charge", "CONSUMER")
        asked = [exchange for exchange in segment.exchanges if exchange.type == "db.query"]
        if [exchange.request["statement"] for exchange in asked] != QUERIES:
            continue
        parameters = asked[1].request["parameters"]
        assert isinstance(parameters, list)
        found.append(int(str(parameters[0])))
    return sorted(found)


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
