"""`replay --all`: what it takes, what it refuses, which cassettes it finds. Nothing is replayed here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli, part_of, write
from timetracer_otel.cassette import Cassette, Entry, Segment
from timetracer_otel.cli.reports import Files, style_of
from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import runner
from timetracer_otel.replay.report import Report
from timetracer_otel.replay.runner import Options
from timetracer_otel.replay.summary import Summary
from timetracer_otel.store import Store

OTHER = "0b" * 16


@pytest.fixture(autouse=True)
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Options]]:
    """Trace and options of each replay, which is not run."""
    seen: list[tuple[str, Options]] = []

    def replay(cassette: Cassette, segment: Segment, options: Options) -> Report:
        seen.append((cassette.trace_id, options))
        return Report(cassette.path, segment.id, "same", segment.name)

    monkeypatch.setattr(runner, "replay", replay)
    return seen


def test_r49_a_report_that_cannot_be_written_names_its_file() -> None:
    with pytest.raises(OSError, match="No space left on device") as refused:
        Files(json="/dev/full").save(Summary(()), {})
    assert refused.value.filename == "/dev/full"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7f3a", "--errors"], "say --all"),
        ([], "name one, or say --all"),
        (["--all", "--pdb"], "--pdb: it looks into one replay"),
        (["--all", "--service", ""], "--service: '' is empty"),
        (["--all", "--since", "7"], "--since"),
        (["--all", "nowhere"], "nowhere"),
        (["--all", "empty"], "empty: it holds no cassette"),
        (["--all", "--store", "gone"], "gone: there is no such folder"),
        (["--all", "--json", "no/such/file"], "--json"),
        (["7f3a", "--junit", "empty"], "--junit: 'empty' is a folder"),
        (["7f3a", "--json", "-", "--markdown", "-"], "--json, --markdown: each would be written to stdout"),
        (["7f3a", "--json", "r.x", "--junit", "empty/../r.x"], "--json, --junit: each would be written to "),
        (["--all", "--app", ""], "--app: '' is empty"),
    ],
    ids=str,
)
def test_r49_what_cannot_be_meant_is_one_line(
    cli: Cli, store: Store, folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "empty").mkdir()
    done = cli("replay", *arguments)
    if arguments[1:2] == ["nowhere"]:  # no folder: then a trace or a file, which fails as a file that is torn does
        assert (done.status, "nowhere" in done.out) == (2, True)
        return
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_all_of_the_store_with_the_filters_of_list(
    cli: Cli, store: Store, replayed: list[tuple[str, Options]], folder: Path
) -> None:
    write(store, part_of(OTHER, entry=Entry("http.server", "GET /other", "200", "shop:app")))
    assert cli("replay", "--all").status == 0
    assert len(replayed) == 2
    replayed.clear()
    done = cli("replay", "--all", "--entry", "/other", "--timeout", "3s")
    assert (done.status, done.out.splitlines()[-1].endswith(": 1 same")) == (0, True)
    assert replayed[0][0] == OTHER
    assert (replayed[0][1].timeout_s, replayed[0][1].is_own) == (3.0, True)
    assert cli("replay", "--all", "--entry", "nothing").out.endswith(": nothing was replayed\n")


def test_bundles_at_any_depth_and_single_files(
    cli: Cli, store: Store, replayed: list[tuple[str, Options]], folder: Path
) -> None:
    (folder / "kept" / "deep").mkdir(parents=True)
    cli("bundle", "7f3a", "-o", "kept/deep/one.cassette.json")
    cli("replay", "--all", "kept")
    cli("replay", "--all", "kept/deep/one.cassette.json")
    assert [each.is_own for _, each in replayed] == [False, False]


def test_one_that_cannot_start_does_not_stop_the_others(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, part_of(OTHER))

    def replay(cassette: Cassette, segment: Segment, options: Options) -> Report:
        if cassette.trace_id == OTHER:
            raise ReplayError("shop:app", "no module 'shop'", "name it: --app")
        return Report(cassette.path, segment.id, "same", segment.name)

    monkeypatch.setattr(runner, "replay", replay)
    done = cli("replay", "--all")
    assert done.status == 2
    assert done.out.splitlines()[0] == "failed  0b0b0b0b/a1a1a1a1: shop:app: no module 'shop'; name it: --app"
    assert done.out.splitlines()[-1].endswith(": 1 failed, 1 same")


def test_the_report_goes_to_stdout_alone_when_it_is_asked_for(cli: Cli, store: Store) -> None:
    assert cli("replay", "--all", "--junit", "-").out.startswith("<?xml")
    assert cli("replay", "7f3a", "--markdown", "-").out == "### ✅ Replay: 1 same\n"


def test_a_terminal_gets_colours_by_the_beginning_of_a_line() -> None:
    assert style_of("deviates  7f3a/52fd  GET /: 1 miss") == "bold red"
    assert style_of("  same as before") == ""
