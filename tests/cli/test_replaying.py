"""`replay` and `exec` of recorded requests of the shop: text, JSON and exit codes. PostgreSQL is stopped."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, part_of, write
from tests.demonstration import Demonstration
from timetracer_otel.cassette import Cassette, Entry, Segment
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import runner
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.runner import Execution, Options
from timetracer_otel.store import Store

ASK = """
import asyncio, sys
from shop import db, orders

async def main():
    async with db.pool, db.pool.connection() as connection:
        print(len(await orders.load_lines(connection, int(sys.argv[1]))))

asyncio.run(main())
"""


@pytest.mark.postgres
def test_a_replay_prints_the_report(demo: Demonstration) -> None:
    done = demo.run("timetracer-otel", "replay", demo.failing)
    assert done.returncode == 0
    assert "TypeError: unsupported operand" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("same ")


@pytest.mark.postgres
def test_the_report_as_json_is_all_that_stdout_gets(demo: Demonstration) -> None:
    done = demo.run("timetracer-otel", "replay", demo.failing, "--json", "-")
    report = json.loads(done.stdout)
    assert (report["report"], report["verdict"], report["misses"], report["unused"]) == (1, "same", [], [])


@pytest.mark.postgres
def test_an_app_that_is_not_there_is_one_line(demo: Demonstration) -> None:
    """R49, for a value that only the replaying process can judge."""
    done = demo.run("timetracer-otel", "replay", demo.failing, "--app", "shop.nowhere:app")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "shop.nowhere" in done.stderr


@pytest.mark.postgres
def test_any_program_gets_recorded_answers(demo: Demonstration) -> None:
    done = demo.run("timetracer-otel", "exec", demo.failing, "--", "python", "-c", ASK, "1003")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


@pytest.mark.postgres
def test_a_program_ends_with_its_own_exit_code(demo: Demonstration) -> None:
    assert demo.run("timetracer-otel", "exec", demo.failing, "--", "python", "-c", "exit(7)").returncode == 7


@pytest.mark.postgres
def test_a_miss_is_reported_though_the_program_swallows_it(demo: Demonstration) -> None:
    """R33, for `exec`."""
    swallowing = ASK.replace(
        "asyncio.run(main())", "try:\n    asyncio.run(main())\nexcept Exception:\n    print('fine')"
    )
    done = demo.run(
        "timetracer-otel", "exec", demo.failing, "--json", "report.json", "--", "python", "-c", swallowing, "9"
    )
    assert (done.returncode, done.stdout) == (1, "fine\n")
    assert "no recorded answer for  SELECT" in done.stderr
    (miss,) = json.loads((demo.folder / "report.json").read_text())["misses"]
    assert miss["differences"] == [{"path": "parameters[0]", "recorded": "1003", "asked": "9"}]


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Those of each replay, which is not run."""
    seen: list[Options] = []

    def replay(cassette: Cassette, segment: Segment, options: Options) -> Report:
        seen.append(options)
        return Report(cassette.path, segment.name, "deviates")

    monkeypatch.setattr(runner, "replay", replay)
    return seen


def test_an_app_comes_from_the_option_then_the_recording_then_the_project(
    cli: Cli, folder: Path, options: list[Options]
) -> None:
    store = Store(folder / "cassettes")
    (folder / "pyproject.toml").write_text('[tool.timetracer-otel]\napp = "of.project:app"\ntimeout = "5s"\n')
    write(store, part_of())
    cli("replay", "7f3a", "--app", "of.option:app")
    cli("replay", "7f3a", "--timeout", "1s")
    write(store, part_of(entry=Entry("http.server", "GET /", "200")))
    cli("replay", "7f3a")
    assert [each.app for each in options] == ["of.option:app", None, "of.project:app"]
    assert [each.timeout_s for each in options] == [5.0, 1.0, 5.0]
    assert all(each.is_own for each in options)


def test_before_the_app_of_a_bundle_comes_the_one_of_the_project(
    cli: Cli, folder: Path, store: Store, options: list[Options]
) -> None:
    (folder / "pyproject.toml").write_text('[tool.timetracer-otel]\napp = "of.project:app"\n')
    cli("bundle", "7f3a", "-o", str(folder / "cassettes" / "sent.cassette.json"))
    cli("replay", str(folder / "cassettes" / "sent.cassette.json"))
    assert options == [Options("of.project:app", is_own=False)]


def test_a_store_that_is_named_for_this_once_is_not_the_user_s(
    cli: Cli, folder: Path, store: Store, options: list[Options]
) -> None:
    os.rename(folder / "cassettes", folder / "sent")
    cli("replay", "7f3a", "--store", "sent")
    cli("replay", str(next((folder / "sent").iterdir())))
    assert [each.is_own for each in options] == [False, False]


def test_the_exit_code_is_that_of_the_verdict(cli: Cli, store: Store, options: list[Options]) -> None:
    done = cli("replay", "7f3a")
    assert done.status == 1
    assert done.out.splitlines()[-1].startswith("deviates")


def test_the_report_goes_into_a_file_and_onto_the_terminal(
    cli: Cli, store: Store, options: list[Options], folder: Path
) -> None:
    assert "deviates" in cli("replay", "7f3a", "--json", "report.json").out
    assert json.loads((folder / "report.json").read_text())["verdict"] == "deviates"


def test_a_replay_that_cannot_start_is_one_line(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def replay(*_: object) -> Report:
        raise ReplayError("replay", "no", "try again")

    monkeypatch.setattr(runner, "replay", replay)
    done = cli("replay", "7f3a")
    assert (done.status, done.out, done.err) == (2, "", "timetracer-otel: replay: no; try again\n")


@pytest.mark.parametrize("command", [["replay"], ["exec", "--", "true"]])
def test_a_bundle_that_holds_no_segment_is_one_line(cli: Cli, folder: Path, command: list[str]) -> None:
    bundle, (name, *rest) = folder / "empty.cassette.json", command
    whole = json.loads((Path(__file__).parents[1] / "promises" / "mixed.cassette.json").read_text())
    bundle.write_text(json.dumps({**whole, "segments": []}))
    done = cli(name, str(bundle), *rest)
    assert (done.status, done.out) == (2, "")
    problem = "the recording holds no segment; record again, with a request or a task"
    assert done.err == f"timetracer-otel: {bundle}: {problem}\n"


def test_a_program_that_asks_little_has_nothing_reported(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = Report("7f3a", "7f3a/a1", "deviates", unused=({"exchange": "1"},))
    monkeypatch.setattr(runner, "execute", lambda *_: Execution(report, 0))
    done = cli("exec", "7f3a", "--", "true")
    assert (done.status, done.out, done.err) == (0, "", "")
