"""A cassette of one driver replays through the other; what cannot be converted is a miss that names the type."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import start_postgres
from tests.promises.running import Replayed, only, recording, run, with_report

pytestmark = pytest.mark.postgres

OTHER = {"asyncpg": "psycopg", "psycopg": "asyncpg"}
WHAT = ("types", "engine")


UNCONVERTIBLE = (
    "point",
    "box",
    "line",
    "lseg",
    "path",
    "polygon",
    "circle",
    "txid_snapshot",
    "r41_mood[]",
    "r41_pair",
    "r41_pair[]",
    "r41_times",
)
"""By the first word of what is asked: no exact conversion between their forms is known, or only for the database."""
UNKNOWN_TO_ASYNCPG = ("r41_mood",)
"""psycopg does not ask the server what an enum is."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """After the server has stopped: what each driver saw of it, and the folder of its cassettes."""

    dsn: str
    seen: Mapping[tuple[str, str], Mapping[str, str]]
    folder: Path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("across")
    server = start_postgres()
    try:
        seen = {(driver, what): _record(driver, what, server.dsn, folder) for driver in OTHER for what in WHAT}
    finally:
        server.stop()
    return Recorded(server.dsn, seen, folder)


def _record(driver: str, what: str, dsn: str, folder: Path) -> dict[str, str]:
    command = ["opentelemetry-instrument", *_command(driver, what, "record", dsn)]
    done = run(command, recording(folder / f"{driver}-{what}"))
    assert done.returncode == 0, done.stderr
    return _seen(done.stdout)


def _command(driver: str, what: str, part: str, dsn: str) -> list[str]:
    return [sys.executable, "-m", "tests.drivers.postgres.across", driver, what, part, dsn]


def _seen(printed: str) -> dict[str, str]:
    return dict(json.loads(line) for line in printed.splitlines() if line.startswith('["'))


def _replay(recorded: Recorded, driver: str, what: str, folder: Path) -> Replayed:
    cassette, _ = only(recorded.folder / f"{OTHER[driver]}-{what}")
    command = ["timetracer-otel", "exec", cassette.path]
    return with_report(command, folder, {}, ("--", *_command(driver, what, "replay", recorded.dsn)))


@pytest.mark.parametrize("driver", OTHER)
def test_r41_a_driver_sees_in_the_cassette_of_the_other_what_it_saw_of_the_server(
    recorded: Recorded, driver: str, tmp_path: Path
) -> None:
    found = _replay(recorded, driver, "types", tmp_path)
    seen, wanted = _seen(found.output), recorded.seen[driver, "types"]
    refused = {name: given for name, given in seen.items() if "timetracer" in given}
    same = {name: given for name, given in wanted.items() if name not in refused}
    assert {name: seen[name] for name in same} == same
    kinds = {name.removeprefix("sent ").removeprefix("null ").split()[0] for name in refused}
    assert kinds == {*UNCONVERTIBLE, *(UNKNOWN_TO_ASYNCPG if driver == "asyncpg" else ())}
    assert [given for given in refused.values() if not re.search(r"type (\w+ \()?OID \d+", given)] == []
    assert found.verdict == "inconclusive"  # it says so of each


@pytest.mark.parametrize("driver", OTHER)
def test_sqlalchemy_over_one_driver_replays_what_it_recorded_over_the_other(
    recorded: Recorded, driver: str, tmp_path: Path
) -> None:
    found = _replay(recorded, driver, "engine", tmp_path)
    assert _seen(found.output) == recorded.seen[driver, "engine"]
    assert (found.report["misses"], found.verdict) == ([], "same")
