"""Bad input of every kind is one line on stderr and exit code 2 (R49); interrupts and broken pipes are quiet."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import typer

from tests.cassette import samples
from tests.cli.conftest import Cli, part_of, write
from tests.demonstration import environment
from timetracer_otel.cassette import Part, dump_part
from timetracer_otel.cli import listing, parsing
from timetracer_otel.cli.running import run
from timetracer_otel.store import Store


def refused(cli: Cli, *arguments: str) -> str:
    """The one line that says why."""
    done = cli(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("timetracer-otel: ")
    return done.err


def test_a_missing_store_is_refused(cli: Cli) -> None:
    assert "cassettes: there is no such folder" in refused(cli, "list")
    assert "there is no such folder" in refused(cli, "show", "7f3a")


def test_an_empty_store_is_refused(cli: Cli, folder: Path) -> None:
    (folder / "cassettes").mkdir()
    assert "cassettes: it holds no cassette" in refused(cli, "list")
    assert "an empty store" in refused(cli, "replay", "7f3a")


def test_a_store_without_a_trace_names_what_processes_left(cli: Cli, folder: Path) -> None:
    (folder / "cassettes" / "processes").mkdir(parents=True)
    (folder / "cassettes" / "processes" / f"{'0e' * 16}.0.json").write_text("{}")
    said = refused(cli, "list")
    assert "it holds no trace; what processes did outside of every span is in processes/" in said
    assert "timetracer-otel exec" in said


def test_a_store_that_is_a_file_is_refused(cli: Cli, folder: Path) -> None:
    (folder / "cassettes").write_text("")
    assert "it is a file" in refused(cli, "list", "--json")


def test_an_unknown_prefix_is_refused(cli: Cli, store: Store) -> None:
    assert "beef: no such cassette" in refused(cli, "show", "beef")
    assert "beef: no such cassette" in refused(cli, "exec", "beef", "--", "true")


def test_an_ambiguous_prefix_is_refused_with_what_it_fits(cli: Cli, store: Store) -> None:
    other = "7f3a91c2" + "1" * 24
    write(store, part_of(other))
    message = refused(cli, "replay", "7f3a")
    assert samples.TRACE_ID in message
    assert other in message


def test_a_trace_of_several_segments_is_replayed_by_name_only(cli: Cli, store: Store) -> None:
    write(store, part_of(segment="c3" * 8, spans=(samples.span("c3" * 8),)))
    message = refused(cli, "replay", "7f3a")
    assert "fits 2 segments" in message
    assert "7f3a91c2/a1a1a1a1 GET /orders/{id}" in message
    assert "7f3a91c2/c3c3c3c3" in message


def damage(path: Path, kind: str) -> None:
    data = path.read_bytes()
    broken = {
        "truncated": data[: len(data) // 2],
        "flipped": data[:40] + bytes([data[40] ^ 0xFF]) + data[41:],
        "not a cassette": b"GIF89a",
        "no JSON": b"{]",
        "other JSON": b"[1, 2]",
        "newer": dump_part(samples.ROOT_PART).replace(b'"timetracer":1', b'"timetracer":99'),
    }
    path.write_bytes(broken[kind])


@pytest.mark.parametrize("command", [("show",), ("replay",), ("bundle",), ("show", "--raw")])
@pytest.mark.parametrize("kind", ["truncated", "flipped", "not a cassette", "no JSON", "other JSON", "newer"])
def test_what_cannot_be_read_is_refused(cli: Cli, folder: Path, command: tuple[str, ...], kind: str) -> None:
    path = write(Store(folder / "cassettes"), part_of())
    damage(path, kind)
    assert path.name in refused(cli, *command, str(path))
    assert path.name in refused(cli, *command, "7f3a")
    assert path.name in refused(cli, "list")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("lst",), ("lst", "list", "show", "replay", "exec", "bundle", "doctor")),
        (("list", "--stroe", "x"), ("--stroe", "--store")),
        (("list", "--since", "2"), ("--since", "'2'", "60s")),
        (("list", "--since", "soon"), ("--since", "'soon'", "ms, s, m, h or d")),
        (("list", "--errors=yes"), ("--errors",)),
        (("list", "7f3a"), ("7f3a",)),
        (("list", "--service"), ("--service",)),
        (("list", "--service", ""), ("--service", "''")),
        (("list", "--entry", " "), ("--entry", "' '")),
        (("show",), ("CASSETTE",)),
        (("show", "7f3a", "--raw", "--json"), ("--raw", "--json")),
        (("show", "cassettes"), ("cassettes", "folder")),
        (("bundle", ""), ("CASSETTE", "''")),
        (("bundle", "7f3a", "-o", "no/bundle.json"), ("--output", "'no/bundle.json'")),
        (("bundle", "7f3a", "-o", "bundles/"), ("--output", "'bundles/'", "make it first")),
        (("bundle", "7f3a", "-o", ""), ("--output", "''")),
        (("show", ""), ("CASSETTE", "''")),
        (("show", "7f3a", "--exchange", "99"), ("--exchange", "'99'", "9f9f9f9f-1")),
        (("show", "7f3a", "--store", ""), ("--store", "''")),
        (("replay",), ("no cassette is named", "--all")),
        (("replay", "7f3a", "--timeout", "60"), ("--timeout", "'60'", "60s")),
        (("replay", "7f3a", "--timeout", "0s"), ("--timeout", "'0s'", "60s")),
        (("replay", "7f3a", "--app", ""), ("--app", "''")),
        (("replay", "7f3a", "--json", "cassettes"), ("--json", "'cassettes'", "folder")),
        (("replay", "7f3a", "--json", "no/report.json"), ("--json", "'no/report.json'")),
        (("replay", "7f3a", "--mode", "nevr"), ("--mode",)),
        (("replay", ""), ("CASSETTE", "''")),
        (("replay", "cassettes"), ("cassettes", "folder")),
        (("replay", "7f3a", "--pdb=yes"), ("--pdb",)),
        (("exec", "7f3a"), ("COMMAND",)),
        (("exec", "", "--", "true"), ("CASSETTE", "''")),
        (("exec", "7f3a", "--jsn", "x", "--", "true"), ("--jsn", "--json")),
        (("exec", "7f3a", "--timeout", "60s", "--", "true"), ("--timeout",)),
        (("exec", "7f3a", "--", "no-such-program"), ("no-such-program",)),
        (("doctor", "please"), ("please",)),
    ],
)
def test_a_wrong_option_or_value_is_refused_by_name(
    cli: Cli, store: Store, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    """R49: one line names the value, the allowed ones and where it came from."""
    message = refused(cli, *arguments)
    assert [word for word in named if word not in message] == []


@pytest.mark.parametrize(
    "command",
    [("list",), ("show", "7f3a"), ("replay", "7f3a"), ("exec", "7f3a", "--", "true"), ("bundle", "7f3a")],
)
def test_r49_a_wrong_variable_is_refused_by_every_command(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TIMETRACER_MODE", "nevr")
    assert "TIMETRACER_MODE: 'nevr' is not one of record, replay, off" in refused(cli, *command)


def test_r49_a_wrong_isolation_is_refused_before_anything_runs(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMETRACER_ISOLATION", "nevr")
    expected = "TIMETRACER_ISOLATION: 'nevr' is not one of namespace, guards"
    assert expected in refused(cli, "exec", "7f3a91c2/a1a1a1a1", "--", "true")


def test_r49_of_two_sources_that_disagree_the_documented_one_counts(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Option > environment > pyproject.toml: each of the others names a store that is not there."""
    Path("pyproject.toml").write_text('[tool.timetracer-otel]\nstore = "of-project"\n')
    assert "of-project" in refused(cli, "list")
    monkeypatch.setenv("TIMETRACER_STORE", "of-environment")
    assert "of-environment" in refused(cli, "list")
    assert cli("list", "--store", "cassettes").status == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [("TIMETRACER_MODE", "nevr"), ("TIMETRACER_PAYLOAD_MAX", "much"), ("TIMETRACER_KEEP", "some")],
)
def test_a_wrong_variable_is_refused_by_name(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """R49, for what comes from the environment."""
    monkeypatch.setenv(variable, value)
    message = refused(cli, "list")
    assert variable in message
    assert repr(value) in message


def test_an_error_that_quotes_a_stranger_does_not_drive_the_terminal(cli: Cli, store: Store) -> None:
    assert "\\x1b[31m" in refused(cli, "show", "\x1b[31m\n")


def test_an_interrupt_is_quiet(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "print_list", interrupted)
    done = cli("list")
    assert (done.status, done.out, done.err) == (130, "", "")


def test_bytecode_that_is_cut_off_is_no_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """typer makes one of it: a disk that was full while Python 3.13.0 imported a command leaves such a file."""

    def damaged(**_: object) -> None:
        raise typer.Abort from EOFError("marshal data too short")

    monkeypatch.setattr(parsing, "app", damaged)
    with pytest.raises(EOFError, match="marshal data"):
        run(["fmt", "a.json"])


def test_help_and_version_are_printed(cli: Cli) -> None:
    assert cli("--version").out == "timetracer-otel 0.1.0\n"
    assert cli().out == cli("--help").out
    assert cli().out.startswith("Usage: timetracer-otel ")


def test_a_reader_that_leaves_early_gets_no_complaint(store: Store) -> None:
    many: list[Part] = [part_of(f"{number:032x}") for number in range(1, 200)]
    for part in many:
        write(store, part)
    process = subprocess.Popen(
        ["timetracer-otel", "list", "--json"],
        cwd=store.root.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


def test_what_the_terminal_cannot_encode_is_escaped(store: Store) -> None:
    done = subprocess.run(
        ["timetracer-otel", "show", "7f3a", "--exchange", "3"],
        cwd=store.root.parent,
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u738b" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_r49_closed_streams_are_no_traceback_and_change_no_exit_code(store: Store, folder: Path, closed: str) -> None:
    for command, status in (("list", 0), ("show nope", 2), ("--help", 0)):
        shell = ["sh", "-c", f"timetracer-otel {command} {closed}"]
        done = subprocess.run(shell, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (status, False)
