"""A connection that outlives its request has the settings that earlier requests gave it: a replay begins with those
that the request found. The server is stopped first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises.running import cassettes, recording, replay, send, service
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Cassette

pytestmark = pytest.mark.postgres

APP = "tests.promises.settled_app:app"
DRIVERS = instrumented("psycopg", "starlette")
ASKED = ("/when", "/when", "/moved?to=Asia/Tokyo", "/when", "/moved?to=UTC", "/when")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Cassette]:
    """In the order of the requests."""
    folder = tmp_path_factory.mktemp("settled")
    postgres = started(PostgresServer)
    variables = recording(folder / "cassettes", APP=APP, DATABASE_URL=postgres.dsn, ZONE="Europe/Rome", **DRIVERS)
    try:
        with service(folder / "log", **variables) as url:
            answers = [json.loads(send(url, path).body) for path in ASKED]
    finally:
        postgres.stop()
    zones = [each["zone"] for each in (*answers[:2], answers[3], answers[5])]
    assert zones == ["Europe/Rome", "Europe/Rome", "Asia/Tokyo", "UTC"]
    return [cassette for cassette, _ in cassettes(folder / "cassettes")]


@pytest.mark.parametrize("number", range(len(ASKED)))
def test_each_request_begins_with_the_settings_that_it_found(
    recorded: list[Cassette], tmp_path: Path, number: int
) -> None:
    zone = {"ZONE": ["Europe/Rome", "Europe/Rome", "Europe/Rome", "Asia/Tokyo", "Asia/Tokyo", "UTC"][number]}
    found = replay(recorded[number].path, tmp_path, **DRIVERS, **zone)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_another_zone_than_was_found_is_asked_for_and_missed(recorded: list[Cassette], tmp_path: Path) -> None:
    found = replay(recorded[1].path, tmp_path, **DRIVERS, ZONE="Asia/Seoul")
    assert (found.status, found.verdict) == (1, "deviates")
    assert "set_config" in found.report["misses"][0]["request"]["text"]
