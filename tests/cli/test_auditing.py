"""`audit`: what it prints and how it ends. What it finds is tested with `timetracer_otel.audit`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import TRACE_ID
from tests.cli.conftest import QUERY, Cli, part_of, write
from timetracer_otel.store import Store

SECRET = "C4naryC4naryC4nary"
OTHER_ID = "22" * 16


@pytest.fixture
def careless(store: Store) -> Store:
    """With a second trace, which holds a secret."""
    statement = {**QUERY.request, "statement": f"select 1 where password = '{SECRET}'"}
    write(store, part_of(OTHER_ID, exchanges=(replace(QUERY, request=statement),)))
    return store


def test_a_clean_store_is_said_to_be_clean(cli: Cli, store: Store) -> None:
    done = cli("audit")
    assert (done.status, done.out, done.err) == (0, "1 file: nothing to mask\n", "")


def test_what_is_found_is_counted_by_file(cli: Cli, careless: Store) -> None:
    done = cli("audit")
    (path,) = (careless.root / OTHER_ID).iterdir()
    assert (done.status, done.err) == (1, "")
    assert done.out == f"{path.relative_to(Path.cwd())}: 1 to mask (password)\n"


def test_in_a_bundle_of_what_was_not_masked_it_is_found(cli: Cli, careless: Store, tmp_path: Path) -> None:
    """`bundle` does not mask again: it may be older than the rules."""
    bundle = str(tmp_path / "made.cassette.json")
    assert cli("bundle", OTHER_ID, "--output", bundle).status == 0
    assert cli("fmt", bundle).status == 0
    done = cli("audit", bundle)
    assert (done.status, SECRET in done.out) == (1, False)


def test_explain_says_where_and_never_what(cli: Cli, careless: Store) -> None:
    done = cli("audit", "--explain", "--store", str(careless.root))
    assert "\n  9f9f9f9f-3 request.statement: password, would be [redacted:password#" in done.out
    assert SECRET not in done.out


def test_json_has_every_finding(cli: Cli, careless: Store) -> None:
    printed = json.loads(cli("audit", "--json").out)
    (finding,) = printed.pop("findings")
    assert (finding["exchange"], finding["path"], finding["rule"]) == ("9f9f9f9f-3", "request.statement", "password")
    assert printed == {"files": 2, "damaged": []}


def test_a_trace_a_file_and_a_folder_may_be_named(cli: Cli, careless: Store, folder: Path) -> None:
    (folder / "notes.cassette.json").write_text('{"format": 1}')
    assert cli("audit", TRACE_ID[:6]).status == 0
    assert cli("audit", OTHER_ID).status == 1
    assert cli("audit", str(careless.root / TRACE_ID)).status == 0
    bundled = cli("bundle", OTHER_ID).out.strip()
    assert cli("audit", TRACE_ID, bundled).out.startswith(f"{bundled}: 1 to mask (password")


def test_a_damaged_file_is_named_and_makes_2_unless_something_is_found(cli: Cli, careless: Store, folder: Path) -> None:
    (path,) = (careless.root / TRACE_ID).iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    done = cli("audit", str(path))
    assert done.status == 2
    assert done.out.startswith(f"{path}: not searched to its end: the end of the file is missing\n")
    assert cli("audit").status == 1
    (folder / "bundles").mkdir()
    (folder / "bundles" / "cut.cassette.json").write_text('{"timetracer": 1')
    done = cli("audit", "bundles")
    assert (done.status, done.out.splitlines()[-1]) == (2, "1 file: nothing to mask, 1 not searched to their end")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ffff",), "no such cassette"),
        (("",), "is empty"),
        (("--store", "nowhere"), "there is no such"),
        (("pipe",), "pipe: it is neither a file nor a folder"),
        (("empty",), "empty: it holds no file to search"),
        (("--store", "empty"), "it holds no file to search"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, cli: Cli, store: Store, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    done = cli("audit", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert message in done.err


def test_the_rules_of_a_file_count_and_a_bad_one_is_refused(
    cli: Cli, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIMETRACER_REDACT", "rules.toml")
    assert "rules.toml: No such file" in cli("audit").err
    (folder / "rules.toml").write_text('[[patterns]]\nname = "customers"\nregex = "from customers"\n')
    assert cli("audit").out.endswith("to mask (customers)\n")
    (folder / "rules.toml").write_text("nmaes = []")
    done = cli("audit")
    assert (done.status, done.err) == (
        2,
        "timetracer-otel: rules.toml: unknown key 'nmaes'; the keys are presets, names, allow, paths, patterns\n",
    )


def test_on_a_terminal_there_is_a_bar(store: Store) -> None:
    program = "import sys; from timetracer_otel.cli import main; sys.argv[0] = 'timetracer-otel'; main()"
    command = [sys.executable, "-c", program, "audit", "--store", str(store.root)]
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, timeout=60, check=True)
        assert b"audit" in os.read(leader, 100_000)
    finally:
        os.close(follower)
        os.close(leader)
    assert done.stdout == b"1 file: nothing to mask\n"
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stderr == b""
