"""Whatever production's connection arguments are, asyncpg dials the stub, and says nothing of this machine."""

from __future__ import annotations

from typing import Any

import pytest

from timetracer_otel.drivers.asyncpg.redirect import redirected, servers

RECORDED = {"user": "app", "database": "shop"}
ARGUMENTS: dict[str, Any] = {"ssl": "verify-full", "direct_tls": True, "passfile": "/nowhere", "service": "shop"}


def test_what_names_tls_files_and_services_is_left_out() -> None:
    dsn = "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/ca&service=x&target_session_attrs=primary&jit=off"
    kept = redirected({**ARGUMENTS, "dsn": dsn}, RECORDED)
    assert kept["dsn"] == "postgresql://u:p@h/d?jit=off"
    assert (kept["ssl"], kept["direct_tls"], kept["service"], kept["passfile"]) == (False, None, None, None)
    assert kept["target_session_attrs"] == "any"


@pytest.mark.parametrize(
    ("arguments", "user", "database"),
    [
        ({}, "app", "shop"),
        ({"dsn": "postgresql://h"}, "app", "shop"),
        ({"dsn": "postgresql://u@h/d"}, None, None),
        ({"dsn": "postgresql:///d?user=u&host=h"}, None, None),
        ({"user": "me", "database": "mine"}, "me", "mine"),
        ({"dsn": "postgresql://u@h"}, None, "shop"),
    ],
)
def test_user_and_database_are_those_of_the_recording_where_nothing_says_them(
    arguments: dict[str, Any], user: str | None, database: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("PGUSER", "PGDATABASE"):
        monkeypatch.delenv(variable, raising=False)
    kept = redirected(arguments, RECORDED)
    assert (kept.get("user"), kept.get("database")) == (user, database)


def test_the_environment_goes_before_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "other")
    monkeypatch.delenv("PGDATABASE", raising=False)
    kept = redirected({}, RECORDED)
    assert (kept.get("user"), kept["database"]) == (None, "shop")


@pytest.mark.parametrize(
    ("dsn", "host", "port"),
    [
        ("", "", ""),
        ("postgresql://u:p@h/d", "h", ""),
        ("postgresql://u@a:1,b:2/d", "a,b", "1,2"),
        ("postgresql://[::1]:5433/d", "[::1]", "5433"),
        ("postgresql://%2Frun%2Fpg/d", "/run/pg", ""),
        ("postgresql:///d?host=h&port=7", "h", "7"),
    ],
)
def test_servers_are_listed_as_libpq_lists_them(dsn: str, host: str, port: str) -> None:
    assert servers(dsn) == (host, port)
