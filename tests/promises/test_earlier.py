"""What a process kept of an earlier request: named where a later one misses it in replay, and answered where the user
says so. The servers are stopped first."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.conftest import started
from tests.launching import instrumented
from tests.promises import keeping_app
from tests.promises.running import Replayed, cassettes, recording, replay, run, send, service
from tests.servers.http import HttpServer
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Segment, start_ns
from timetracer_otel.replay import earlier

pytestmark = pytest.mark.postgres

APP = "tests.promises.keeping_app:app"
DRIVERS = instrumented("asyncpg", "httpx", "psycopg", "starlette")
KINDS = ("prices", "rates", "orders")
NUMBERS = (1, 2, 3)
Again = Callable[..., Replayed]


@dataclass(frozen=True)
class Recorded:
    store: Path
    http: str
    segments: list[Segment]


@pytest.fixture(scope="module")
def of_both(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Two processes: the first request of each asks for what it keeps."""
    folder = tmp_path_factory.mktemp("earlier")
    postgres, http = started(PostgresServer), started(HttpServer)
    asked = {"DATABASE_URL": postgres.dsn, "HTTP_URL": http.url}
    variables = recording(folder / "cassettes", APP=APP, **asked, **DRIVERS)
    try:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(keeping_app.SCHEMA)
        for _ in range(2):
            with service(folder / "log", **variables) as url:
                answers = [send(url, f"/{what}/{number}") for what in KINDS for number in NUMBERS]
            assert [answer.status for answer in answers] == [200] * len(answers), answers
    finally:
        postgres.stop()
        http.stop()
    found = cassettes(folder / "cassettes")
    assert len(found) == 2 * len(KINDS) * len(NUMBERS)
    return Recorded(folder / "cassettes", http.url, sorted((segment for _, segment in found), key=start_ns))


@pytest.fixture(scope="module")
def of_fees(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The first waits while the second asks for what both use; the fourth asks anew."""
    folder = tmp_path_factory.mktemp("fees")
    postgres = started(PostgresServer)
    variables = recording(folder / "cassettes", APP=APP, DATABASE_URL=postgres.dsn, **DRIVERS)
    try:
        with psycopg.connect(postgres.dsn, autocommit=True) as connection:
            connection.execute(keeping_app.SCHEMA)
        with service(folder / "log", **variables) as url, ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(send, url, "/fees/1?after=1")
            time.sleep(0.3)
            answers = [send(url, "/fees/2"), waiting.result()]
            answers += [send(url, f"/fees/{number}") for number in ("3", "4?anew=1", "5")]
        assert [json.loads(each.body)["fee"] for each in answers] == [1, 1, 1, 2, 2]
    finally:
        postgres.stop()
    return Recorded(
        folder / "cassettes", "", sorted((each for _, each in cassettes(folder / "cassettes")), key=start_ns)
    )


@pytest.fixture
def recorded(of_both: Recorded) -> list[Segment]:
    return of_both.segments


@pytest.fixture
def again(of_both: Recorded, tmp_path: Path) -> Again:
    variables = {**DRIVERS, "TIMETRACER_STORE": str(of_both.store), "HTTP_URL": of_both.http}
    return lambda segment, *options, **more: replay(segment.name, tmp_path, *options, **{**variables, **more})


def test_the_request_that_asked_is_named_and_answers_when_it_is_said_to(recorded: list[Segment], again: Again) -> None:
    first, *_, last = recorded[: len(NUMBERS)]
    missed = again(last)
    assert (missed.status, missed.verdict) == (1, "deviates")
    assert {each["earlier"] for each in missed.report["misses"] if not each["consequent"]} == {first.name}
    assert f"--earlier {first.name}" in missed.output

    found = again(last, "--earlier", first.name)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    told = [line for line in found.report["uncontrolled"] if line.startswith(f"answered from {first.name}")]
    assert len(told) == 2  # the settings and the token
    with_own_secret = again(last, "--earlier", first.name, CLIENT_SECRET="of-the-laptop-9f8e7d")
    assert (with_own_secret.status, with_own_secret.verdict) == (0, "same"), with_own_secret.output


@pytest.mark.parametrize("kind", ["rates", "orders"])
def test_bounds_of_transactions_go_with_what_is_kept_in_them(recorded: list[Segment], again: Again, kind: str) -> None:
    at = KINDS.index(kind) * len(NUMBERS)
    first, last = recorded[at], recorded[at + 2]
    missed = again(last)
    assert [each["earlier"] for each in missed.report["misses"] if not each["consequent"]] == [first.name]
    found = again(last, "--earlier", first.name)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output
    told = [line for line in found.report["uncontrolled"] if line.startswith(f"answered from {first.name}")]
    assert told[-1].endswith("SELECT value FROM settings WHERE name = $1")  # before it SQLAlchemy greets its server
    assert not any(line.endswith(("BEGIN;", "COMMIT;")) for line in told)


def test_one_transaction_that_became_two_is_found_all_the_same(recorded: list[Segment], again: Again) -> None:
    first, last = recorded[6], recorded[8]
    found = again(last, "--earlier", first.name, SPLIT="1")
    assert (found.status, found.verdict) == (1, "deviates"), found.output


def test_what_the_request_asks_by_itself_is_answered_by_no_other(recorded: list[Segment], again: Again) -> None:
    first, *_, last = recorded[: len(NUMBERS)]
    found = again(last, "--earlier", first.name, AGAIN="1")
    assert (found.status, found.verdict) == (1, "deviates")
    assert [each["path"] for miss in found.report["misses"] for each in miss["differences"]] == ["calls"]
    assert [each["earlier"] for each in found.report["misses"]] == [None]


@pytest.mark.parametrize(("number", "asker", "more"), [(1, 2, []), (3, 2, []), (5, 4, [2])])
def test_the_last_that_asked_is_named_though_it_ran_at_the_same_time(
    of_fees: Recorded, tmp_path: Path, number: int, asker: int, more: list[int]
) -> None:
    variables = {**DRIVERS, "TIMETRACER_STORE": str(of_fees.store)}
    segment, asked = of_fees.segments[number - 1], of_fees.segments[asker - 1]
    missed = replay(segment.name, tmp_path, **variables)
    assert [each["earlier"] for each in missed.report["misses"]] == [asked.name], missed.output
    names = [*(of_fees.segments[each - 1].name for each in more), asked.name]
    options = [word for name in names for word in ("--earlier", name)]
    found = replay(segment.name, tmp_path, *options, **variables)
    assert (found.status, found.verdict, found.findings) == (0, "same", []), found.output


def test_few_and_small_traces_of_the_process_are_looked_at(of_both: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    *others, last = of_both.segments

    def looked_at() -> list[str]:
        return [each.id for each in earlier._before(of_both.store, last)]

    own = [each.id for each in others if each.process.id == last.process.id]
    assert (len(own), looked_at()) == (8, own[::-1])
    monkeypatch.setattr(earlier, "LOOKED_AT_MAX", 2)
    assert 4 <= len(looked_at()) < len(own)
    monkeypatch.setattr(earlier, "OPENED_MAX_BYTES", 0)
    assert looked_at() == []


@pytest.mark.parametrize(
    ("replayed", "named", "options", "line"),
    [
        (0, 1, [], "it began when that had ended; name one as `replay` says it"),
        (9, 0, [], "it is of another process than what is replayed; name one as `replay` says it"),
        (1, 1, [], "it is what is replayed; name one as `replay` says it"),
        (2, 0, ["--all"], "it is of one replay, --all runs many; name one of them"),
    ],
)
def test_what_cannot_be_an_earlier_request_is_one_line(
    recorded: list[Segment], again: Again, tmp_path: Path, replayed: int, named: int, options: list[str], line: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        again(recorded[replayed], "--earlier", recorded[named].name, *options)
    (told,) = [each for each in str(caught.value).splitlines() if "--earlier" in each]
    assert told.startswith("timetracer-otel: --earlier")
    assert told.endswith(line)


def test_it_is_looked_for_where_the_replayed_one_lies(of_both: Recorded, again: Again, tmp_path: Path) -> None:
    first, *_, last = of_both.segments[: len(NUMBERS)]
    elsewhere = {**DRIVERS, "TIMETRACER_STORE": str(tmp_path / "none"), "HTTP_URL": of_both.http}
    found = replay(of_both.store / last.trace_id, tmp_path, "--earlier", first.name, "--app", APP, **elsewhere)
    assert (found.status, found.verdict) == (0, "same"), found.output


def test_a_trace_that_is_not_there_is_one_line(recorded: list[Segment], tmp_path: Path) -> None:
    done = run(["timetracer-otel", "replay", recorded[0].name, "--earlier", "ffff"], DRIVERS, tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
