"""One recording of the service for all tests of this folder; its PostgreSQL is stopped before the first replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.conftest import start_postgres
from tests.promises import app
from tests.promises.running import Answer, cassettes, recording, send, service
from timetracer_otel.cassette import Cassette, Segment

SENT = {
    "authorization": "Bearer kT4-authorization-in",
    "COOKIE": "session=kT4-cookie-in; theme=dark",
    "X-Api-Key": "kT4-api-key-in",
    "proxy-authorization": "Basic a1Q0LXByb3h5LWlu",
}
RETURNED = {
    "Authorization": "Bearer kT4-authorization-out",
    "X-API-KEY": "kT4-api-key-out",
    "Proxy-Authorization": "Basic a1Q0LXByb3h5LW91dA",
    "cookie": "kT4-cookie-out",
    "secret": "kT4-body-out",
}
LITERAL = {"password": "kT4-literal"}
SECRETS = {"password": "kT4-password-in", "user": {"Token": "kT4-token-in"}, "back": RETURNED, "literal": LITERAL}
SETTINGS = {"BINARY": "1", "OTEL_RESOURCE_ATTRIBUTES": "service.name=promises,deployment.api_key=kT4-resource"}
FORM = b"user=ming&password=kT4-form-in"


@dataclass(frozen=True, slots=True)
class Recorded:
    """`store` is the folder; the rest is by the path of the request."""

    store: Path
    answers: Mapping[str, Answer]
    cassettes: Mapping[str, tuple[Cassette, Segment]]

    def trace(self, path: str) -> str:
        """To be named in a command, from any folder."""
        return self.cassettes[path][0].path


@contextmanager
def database(schema: str = app.SCHEMA) -> Iterator[str]:
    """The DSN of a PostgreSQL of its own that holds the tables; it is stopped when the block ends."""
    server = start_postgres()
    try:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute(schema)
        yield server.dsn
    finally:
        server.stop()


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp("promises")
    store = folder / "cassettes"
    with (
        database() as dsn,
        service(folder / "uvicorn.log", **recording(store, DATABASE_URL=_with_password(dsn), **SETTINGS)) as url,
    ):
        answers = _ask(url)
    found = {_path(segment): (cassette, segment) for cassette, segment in cassettes(store)}
    assert sorted(found) == sorted(answers), (folder / "uvicorn.log").read_text()
    return Recorded(store, answers, found)


def _with_password(dsn: str) -> str:
    """The server takes any."""
    return dsn.replace("@", ":kT4-dsn@", 1)


def _path(segment: Segment) -> str:
    (entry,) = [each for each in segment.exchanges if each.type == "http.server"]
    return str(entry.request["path"])


def _ask(url: str) -> dict[str, Answer]:
    answers = {
        path: send(url, path) for path in ("/poll", "/gather", "/balance", "/thirty", "/world", "/later", "/fail")
    }
    answers["/visits"] = send(url, "/visits", "POST")
    answers["/visits-in-gzip"] = send(url, "/visits-in-gzip", "POST", headers={"accept-encoding": "gzip"})
    answers["/payments"] = send(url, "/payments", "POST", {"amount": "12.50"})
    answers["/secrets"] = send(url, "/secrets?api_key=kT4-query-in&page=2", "POST", SECRETS, SENT)
    form = {"content-type": "application/x-www-form-urlencoded"}
    answers["/form"] = send(url, "/form", "POST", FORM, form)
    return answers
