"""The examples with a stream and WebSockets do what they say, on Starlette and on FastAPI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.demonstration import Demonstration, run_example
from tests.servers.jaeger import JaegerServer
from tests.servers.postgres import PostgresServer
from tests.there_and_back import assert_come_back

pytestmark = pytest.mark.postgres

INSTRUMENTORS = ("asyncpg", "fastapi", "psycopg", "starlette")


@pytest.fixture(scope="module", params=["notes_fastapi", "notes_starlette"])
def notes(
    request: pytest.FixtureRequest, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Demonstration:
    """What it leaves behind. It starts its own PostgreSQL; `postgres` skips where none can run."""
    folder = tmp_path_factory.mktemp("example") / "service"
    return run_example("notes.py", folder, *INSTRUMENTORS, name=request.param)


def test_every_request_stream_and_websocket_replays_the_same(notes: Demonstration) -> None:
    assert notes.status == 0, notes.output
    assert ": 6 same\n" in notes.output
    assert "101 AttributeError" in notes.output
    assert "body.line[1]: recorded 'id: 1', replayed 'key: 1'" in notes.output


def test_streams_and_websockets_come_back_from_jaeger_and_replay_the_same(
    notes: Demonstration, jaeger: JaegerServer, tmp_path: Path
) -> None:
    assert_come_back(jaeger, notes, tmp_path, *INSTRUMENTORS)
