from __future__ import annotations

import pytest

from timetracer_otel.drivers.psycopg.redirect import redirected

KNOWN = frozenset({"sslmode", "gssencmode", "channel_binding", "hostaddr", "target_session_attrs"})
RECORDED = {"user": "app", "dbname": "shop"}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGUSER", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


def test_the_stub_is_dialled_under_the_name_of_production() -> None:
    found = redirected(
        {"host": "db.prod.example", "port": 5432, "user": "me", "sslmode": "verify-full"}, 4711, KNOWN, {}
    )
    assert found == {
        "host": "db.prod.example",
        "hostaddr": "127.0.0.1",
        "port": 4711,
        "user": "me",
        "sslmode": "disable",
        "gssencmode": "disable",
        "channel_binding": "disable",
        "target_session_attrs": "any",
    }


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("one,two,three", "one"),
        ("/var/run/postgresql", "localhost"),
        ("@abstract", "localhost"),
        (None, "localhost"),
        ("::1", "::1"),
    ],
)
def test_one_host_of_all_is_shown(host: str | None, shown: str) -> None:
    assert redirected({"host": host}, 1, KNOWN, {})["host"] == shown


def test_files_of_production_are_not_looked_for() -> None:
    files = dict.fromkeys(
        ("sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile", "service", "servicefile"), "/nowhere"
    )
    assert not set(redirected({"host": "db", **files}, 1, KNOWN, {})) & set(files)


def test_an_option_that_this_libpq_does_not_know_is_not_passed() -> None:
    assert "sslnegotiation" not in redirected({"host": "db"}, 1, KNOWN, {})
    assert redirected({"host": "db"}, 1, KNOWN | {"sslnegotiation"}, {})["sslnegotiation"] == "postgres"


def test_user_and_database_are_the_recorded_ones_where_the_app_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    found = redirected({"service": "shop"}, 1, KNOWN, RECORDED)
    assert (found["user"], found["dbname"]) == ("app", "shop")
    named = redirected({"user": "me", "dbname": "mine"}, 1, KNOWN, RECORDED)
    assert (named["user"], named["dbname"]) == ("me", "mine")
    monkeypatch.setenv("PGUSER", "from-environment")
    assert "user" not in redirected({}, 1, KNOWN, RECORDED)
