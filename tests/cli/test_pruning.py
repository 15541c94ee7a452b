"""`prune`: what it prints and how it ends. What it deletes is tested with the store."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cassette.samples import TRACE_ID
from tests.cli.conftest import Cli, part_of, write
from timetracer_otel.store import Store

NEW_ID = "11" * 16
OLD_S = 8 * 86_400


@pytest.fixture
def aged(store: Store) -> Store:
    """With an old trace and a young one."""
    stamp = time.time() - OLD_S
    for path in store.root.rglob("*"):
        os.utime(path, (stamp, stamp))
    write(store, part_of(NEW_ID))
    return store


def test_one_line_says_what_was_deleted(cli: Cli, aged: Store) -> None:
    done = cli("prune", "--older", "7d")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("deleted 1 trace older than 7d from cassettes: ")
    assert done.out.count("\n") == 1
    assert os.listdir(aged.root) == [NEW_ID]
    assert cli("prune", "--older", "7d").out == "deleted nothing older than 7d from cassettes: 0 B\n"


def test_a_dry_run_deletes_nothing(cli: Cli, aged: Store) -> None:
    done = cli("prune", "--older", "7d", "--dry-run", "--store", "cassettes")
    assert done.out.startswith("would delete 1 trace older than 7d from cassettes: ")
    assert sorted(os.listdir(aged.root)) == [NEW_ID, TRACE_ID]


def test_json_has_the_traces_and_the_numbers(cli: Cli, aged: Store) -> None:
    printed = json.loads(cli("prune", "--older", "7d", "--json").out)
    assert printed.pop("bytes") > 0
    assert printed == {
        "dry_run": False,
        "traces": [TRACE_ID],
        "environments": 0,
        "blobs": 0,
        "temporary_files": 0,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "Missing option '--older'"),
        (["--older", "7"], "'7' is not a duration"),
        (["--older", ""], "'' is not a duration"),
        (["--older", "0s"], "'0s' leaves no time"),
        (["--older", "-1d"], "'-1d' is not a duration"),
        (["--older", "7d", "--store", ""], "--store: '' is empty"),
        (["--older", "7d", "--store", "none"], "none: there is no such folder"),
        (["--older", "7d", "--store", "pyproject.toml"], "pyproject.toml: it is a file, not a folder of cassettes"),
        (["--older", "7d", "extra"], "unexpected extra argument"),
    ],
)
def test_bad_options_end_with_two_and_one_line(cli: Cli, aged: Store, arguments: list[str], expected: str) -> None:
    Path("pyproject.toml").write_text("")
    done = cli("prune", *arguments)
    assert (done.status, done.out) == (2, "")
    assert expected in done.err
    assert done.err.count("\n") == 1
    assert len(os.listdir(aged.root)) == 2


def test_what_cannot_be_read_is_said_and_ends_with_one(cli: Cli, aged: Store) -> None:
    (path,) = (aged.root / NEW_ID).iterdir()
    path.write_bytes(b"\x1b[31m")
    done = cli("prune", "--older", "7d")
    assert done.status == 1
    assert done.out.startswith("deleted 1 trace ")
    assert path.name in done.err
    assert "all environments and blobs stay" in done.err
    assert "\x1b" not in done.err


def test_r31_a_store_with_a_link_in_it_is_left_as_it_is_and_says_so(cli: Cli, aged: Store, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (aged.root / "blobs").symlink_to(tmp_path / "outside")
    done = cli("prune", "--older", "7d")
    assert done.status == 1
    assert done.err == "cassettes/blobs: it is a link, so nothing is deleted from this store\n"
    assert sorted(os.listdir(aged.root)) == [NEW_ID, TRACE_ID, "blobs"]


def test_a_bar_is_drawn_on_a_terminal_only(aged: Store) -> None:
    command = [
        sys.executable,
        "-c",
        "from timetracer_otel.cli import main; main()",
        "prune",
        "--older",
        "7d",
        "--dry-run",
    ]
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, timeout=60, check=True)
        assert b"traces" in os.read(leader, 100_000)
    finally:
        os.close(follower)
        os.close(leader)
    assert done.stdout.startswith(b"would delete 1 trace")
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stderr == b""
