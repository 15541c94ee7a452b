"""What a process left that was killed is there for each command that opens a store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cassette.samples import PROCESS, ROOT_ID, TRACE_ID
from tests.cli.conftest import Cli, part_of
from tests.store.processes import killed, living
from timetracer_otel.cassette import dump_part
from timetracer_otel.store import Store, adoption

SPOOL = "spooled(store, TRACE_ID, PROCESS.id, 3)"


@pytest.fixture
def left(folder: Path) -> Store:
    """`./cassettes` of a process that was killed."""
    root = folder / "cassettes"
    killed(root, SPOOL)
    return Store(root)


def test_r24_what_a_killed_process_left_is_listed_as_incomplete(cli: Cli, left: Store) -> None:
    done = cli("list")
    assert (done.status, done.err) == (0, "")
    assert "3 (incomplete)" in done.out
    assert os.listdir(left.root / "pending") == []


@pytest.mark.parametrize("command", [("show",), ("bundle", "-o", "out.json"), ("replay",), ("exec",)])
def test_a_trace_id_finds_what_a_killed_process_left(cli: Cli, left: Store, command: tuple[str, ...]) -> None:
    name, *options = command
    done = cli(name, *options, TRACE_ID, *(["--", "true"] if name == "exec" else []))
    assert "no such cassette" not in done.err
    assert (left.root / TRACE_ID).exists()


def test_a_file_is_opened_as_it_is(cli: Cli, left: Store) -> None:
    Path("part.json").write_bytes(dump_part(part_of()))
    assert cli("show", "part.json").status == 0
    assert not (left.root / TRACE_ID).exists()
    assert len(os.listdir(left.root / "pending")) == 1


def test_what_cannot_be_adopted_is_said_in_one_line(cli: Cli, left: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(path: Path, target: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(adoption, "_adopt_spool", read_only)
    left.write_part("11" * 16, ROOT_ID, PROCESS.id, 0, dump_part(part_of("11" * 16)))
    done = cli("list", "--json")
    assert done.status == 0
    assert done.err.startswith("cassettes: 1 unfinished recording waits and cannot be adopted")
    assert done.err.count("\n") == 1


def test_what_a_living_process_has_is_no_news(cli: Cli, store: Store, folder: Path) -> None:
    with living(folder / store.root, SPOOL.replace("TRACE_ID", "'22' * 16")):
        done = cli("list")
        assert (done.status, done.err) == (0, "")
        assert "2222" not in done.out
