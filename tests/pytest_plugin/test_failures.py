"""What must not be hidden, reach the network, or stay behind."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.pytest_plugin.running import Project
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]
WHOLE = "not (misspelt or nowhere or skipped or never_recorded)"


def calls(postgres: PostgresServer) -> list[str]:
    with psycopg.connect(postgres.dsn) as connection:
        return [text for (text,) in connection.execute("select text from calls order by text").fetchall()]


def test_r31_r33_r50_r52_what_a_test_hides_fails_it_and_touches_neither_servers_nor_the_next_test(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with psycopg.connect(postgres.dsn, autocommit=True) as connection:
        connection.execute("drop table if exists calls")
        connection.execute("create table calls (text text)")
    project = Project(tmp_path, {"DSN": postgres.dsn, "MONGO": "mongodb://127.0.0.1:1"}, "failures")
    recorded = project.run("--timetracer=record", "-k", WHOLE)
    assert recorded.code == 0, recorded.output
    assert "changed: []" in recorded.output
    before = calls(postgres)

    changed = project.run(CHANGED=" + 0")
    assert changed.code == 1, changed.output
    assert calls(postgres) == sorted([*before, "unmarked"])
    assert "changed: []" in changed.output

    assert "FAILED" in changed.of("test_swallowed")
    assert "no recorded answer for  select $1 * 2 + 0" in changed.output
    assert "asked by  shop.py" in changed.output
    assert "uncontrolled: native sockets" in changed.output  # there is no namespace in pytest's own process
    assert "ERROR" in changed.of("test_not_asked_any_more")
    assert "recorded but not made\n  INSERT" in changed.output.replace("insert", "INSERT")

    assert changed.of("test_leaves_a_thread").startswith("PASSED")
    assert changed.of("test_after_a_thread_was_left").startswith("PASSED")
    stray = "test_failures.py::test_leaves_a_thread: after its end  select 'of a thread that was left'"
    assert stray in changed.output

    assert "FAILED" in changed.of("test_earlier_connection")
    assert "FAILED" in changed.of("test_network ")
    for refused in ("resolve name.example", "send 203.0.113.9:9", "connect 203.0.113.9:80", "send to 127.0.0.1"):
        assert refused in changed.output
    assert changed.of("test_network_of_an_unmarked_one").startswith("PASSED")
    assert changed.counts["skipped"] == 1

    assert "there is no argument casette; correct it; there are cassette, segment" in changed.output
    assert "there is no cassette ../nowhere.json" in changed.output.replace(str(tmp_path.parent), "..")

    assert "ERROR" in changed.of("test_never_recorded")
    assert "record it with --timetracer=missing" in changed.output

    interrupted = project.run("-k", "interrupted", INTERRUPT="1")
    assert (interrupted.code, "changed: []" in interrupted.output) == (2, True), interrupted.output


def test_r49_r52_a_failed_or_interrupted_recording_leaves_the_old_cassette_and_a_contradiction_is_refused(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    project = Project(tmp_path, {"DSN": postgres.dsn, "MONGO": "mongodb://127.0.0.1:1"}, "failures")
    assert project.run("--timetracer=missing", "-k", "failing or interrupted").code == 0
    before = {path: path.read_bytes() for path in project.cassettes}
    assert len(before) == 2
    failed = project.run("--timetracer=record", "-k", "failing or interrupted", FAIL="1", INTERRUPT="1")
    assert (failed.code, "changed: []" in failed.output) == (2, True), failed.output
    assert "1 failed" in failed.output
    assert {path: path.read_bytes() for path in project.cassettes} == before

    off = project.run("--timetracer=off", "-k", "interrupted", CHANGED=" + 0")
    assert (off.code, off.counts) == (0, {"passed": 1}), off.output  # asked of the server: it is no recorded request
    assert {path: path.read_bytes() for path in project.cassettes} == before

    typo = project.run("--timetracer=nevr")
    assert (typo.code, "--timetracer: 'nevr' is not one of replay, missing, record, off" in typo.output) == (2, True)
