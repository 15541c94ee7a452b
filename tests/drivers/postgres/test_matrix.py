"""Every driver with every server: recorded in one process, the server stopped, replayed by the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.conftest import started
from tests.drivers.postgres.matrix import PROCESSES
from tests.launching import instrumented
from tests.promises.running import Replayed, only, recording, run, with_report
from tests.servers.debian import DebianPostgres
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]  # the first test waits for four recordings

SERVERS: Mapping[str, Callable[[], PostgresServer | DebianPostgres]] = {
    "embedded": PostgresServer,
    "debian": DebianPostgres,
}
AT_A_TIME = 2
"""Of recordings on servers of their own, and of replays: much of their time is waiting for limits that run out."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One server after it has stopped: what each process printed, and where its cassette is."""

    dsn: str
    printed: Mapping[str, str]
    folder: Path


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield pool


@pytest.fixture(scope="module")
def recordings(
    libpq: None, pool: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Future[Recorded]]:
    """By server. A server that cannot run here skips or fails those who ask for its."""
    return {name: pool.submit(record_all, name, tmp_path_factory.mktemp("matrix")) for name in SERVERS}


@pytest.fixture(scope="module", params=SERVERS)
def replays(
    request: pytest.FixtureRequest, recordings: Mapping[str, Future[Recorded]], pool: ThreadPoolExecutor
) -> Mapping[str, Future[tuple[str, Replayed]]]:
    """By programs, of one server."""
    recorded = recordings[request.param].result()
    return {programs: pool.submit(replay, recorded, programs) for programs in PROCESSES}


def record_all(name: str, folder: Path) -> Recorded:
    server = started(SERVERS[name])
    try:
        fill(server.dsn)
        printed = {programs: record(programs, server.dsn, folder / programs) for programs in PROCESSES}
    finally:
        server.stop()
    return Recorded(server.dsn, printed, folder)


def fill(dsn: str) -> None:
    """Orders, and a sequence that counts."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create sequence states")
        connection.execute(
            "create table orders as select i as id, i * 1.25 as total, i % 2 = 0 as paid, "
            "timestamptz '2024-05-01 10:00+02' + i * interval '1 day' as at, "
            "case when i % 3 > 0 then 'note ' || i end as note from generate_series(1, 9) i"
        )


def record(programs: str, dsn: str, store: Path) -> str:
    command = ["opentelemetry-instrument", *_command(programs, "record", dsn)]
    done = run(command, recording(store, **_variables(programs)))
    assert done.returncode == 0, done.stderr
    return done.stdout


def replay(recorded: Recorded, programs: str) -> tuple[str, Replayed]:
    """What was printed while it was recorded, and the replay."""
    cassette, _ = only(recorded.folder / programs)
    command = ["timetracer-otel", "exec", cassette.path]
    program = ("--", *_command(programs, "replay", recorded.dsn))
    return recorded.printed[programs], with_report(command, recorded.folder, _variables(programs), program)


def _command(programs: str, part: str, dsn: str) -> list[str]:
    return [sys.executable, "-m", "tests.drivers.postgres.matrix", programs, part, dsn]


def _variables(programs: str) -> dict[str, str]:
    implementation = "python" if programs.endswith("-python") else "binary"
    return {"PSYCOPG_IMPL": implementation, **instrumented("asyncpg", "psycopg")}


@pytest.mark.parametrize("programs", PROCESSES)
def test_r05_r07_r09_r11_r41_programs_see_the_same_with_the_server_stopped_and_its_certificates_gone(
    replays: Mapping[str, Future[tuple[str, Replayed]]], programs: str
) -> None:
    printed, found = replays[programs].result()
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output[-4000:]
    assert _given(found.output) == _given(printed)


def _given(printed: str) -> dict[str, str]:
    """By scenario."""
    return dict(json.loads(line) for line in printed.splitlines() if line.startswith('["'))
