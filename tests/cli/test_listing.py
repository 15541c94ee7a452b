"""`list`: what it says, and which traces it chooses."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette import samples
from tests.cli.conftest import ESCAPE, Cli, part_of, write
from timetracer_otel.cassette import Entry
from timetracer_otel.store import Store

OTHER = "7f3a91c2" + "1" * 24


def test_a_trace_is_a_row_of_what_one_looks_for(cli: Cli, store: Store) -> None:
    heading, _, row = cli("list").out.splitlines()
    assert heading.split() == ["trace", "started", "(UTC)", "ms", "service", "entry", "outcome", "exchanges"]
    assert row.split("   ")[0] == "7f3a91c2"
    assert [word in row for word in ("2025-11-24 16:00:00", "shop", "GET /orders/{id}", "500 KeyError: 'total'")] == [
        True
    ] * 4


def test_the_json_is_the_documented_schema(cli: Cli, store: Store) -> None:
    assert json.loads(cli("list", "--json").out) == [
        {
            "trace_id": samples.TRACE_ID,
            "path": str(Path("cassettes") / samples.TRACE_ID),
            "service": "shop",
            "started_at": "2025-11-24T16:00:00Z",
            "duration_ms": 5.001,
            "complete": True,
            "segments": [
                {
                    "segment": samples.ROOT_ID,
                    "entry": {"type": "http.server", "name": "GET /orders/{id}", "outcome": "500 KeyError: 'total'"},
                    "process": samples.PROCESS.id,
                    "exchanges": 4,
                    "complete": True,
                }
            ],
        }
    ]


def test_prefixes_are_long_enough_to_be_unique(cli: Cli, store: Store) -> None:
    write(store, part_of(OTHER))
    names = [row.split()[0] for row in cli("list").out.splitlines()[2:]]
    assert sorted(names) == ["7f3a91c20", "7f3a91c21"]
    assert cli("show", names[0]).status == 0


def test_each_segment_of_a_trace_is_a_row_that_replay_takes(cli: Cli, store: Store) -> None:
    write(store, part_of(segment="c3" * 8, spans=(samples.span("c3" * 8, samples.START_NS + 10),)))
    names = [row.split()[0] for row in cli("list").out.splitlines()[2:]]
    assert names == ["7f3a91c2/a1a1a1a1", "7f3a91c2/c3c3c3c3"]
    assert cli("show", names[1]).status == 0


@pytest.mark.parametrize(
    ("options", "is_listed"),
    [
        (("--service", "shop"), True),
        (("--service", "sho"), False),
        (("--entry", "/orders/"), True),
        (("--entry", "POST"), False),
        (("--errors",), True),
        (("--since", "1ms"), False),
        (("--since", "100000d"), True),
        (("--errors", "--service", "till"), False),
    ],
)
def test_options_choose_traces(cli: Cli, store: Store, options: tuple[str, ...], is_listed: bool) -> None:
    done = cli("list", "--json", *options)
    assert done.status == 0
    assert len(json.loads(done.out)) == is_listed


@pytest.mark.parametrize(
    ("outcome", "is_error"),
    [
        ("200", False),
        ("404", False),
        ("ok", False),
        ("", False),
        ("500", True),
        ("503", True),
        ("200 KeyError: 'x'", True),
        ("ValueError: no", True),
        ("ERROR", True),
    ],
)
def test_an_error_is_a_status_of_5xx_or_an_exception(cli: Cli, folder: Path, outcome: str, is_error: bool) -> None:
    write(Store(folder / "cassettes"), part_of(entry=Entry("http.server", "GET /", outcome)))
    assert len(json.loads(cli("list", "--errors", "--json").out)) == is_error


def test_that_nothing_fits_is_said(cli: Cli, store: Store) -> None:
    done = cli("list", "--service", "till")
    assert (done.status, done.out, done.err) == (0, "", "none of the 1 traces in cassettes fits\n")


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_listed(cli: Cli, store: Store) -> None:
    damaged = write(store, part_of(OTHER))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    done = cli("list")
    assert done.status == 0
    (row,) = done.out.splitlines()[2:]
    assert row.split()[0] == "7f3a91c20", "what is named so can be shown: the damaged one begins with 7f3a91c2 too"
    assert cli("show", "7f3a91c20").status == 0
    assert str(damaged.relative_to(store.root)) in done.err
    assert done.err.count("\n") == 1


def test_what_a_stranger_wrote_does_not_drive_the_terminal(cli: Cli, folder: Path) -> None:
    entry = Entry("http.server", f"GET /{ESCAPE}[red]\u202e", f"500 {ESCAPE}")
    part = replace(part_of(entry=entry), resource={"service.name": f"sh{ESCAPE}op\n"})
    write(Store(folder / "cassettes"), part)
    for arguments in (("list",), ("list", "--json")):
        out = cli(*arguments).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "[red]" in out


def test_only_those_written_last_are_looked_at(cli: Cli, store: Store) -> None:
    for number in range(3):
        path = write(store, part_of(f"{number}" * 32))
        os.utime(path.parent, ns=(0, number + 1))
    os.utime(store.root / samples.TRACE_ID, ns=(0, 0))
    assert ids(cli("list", "--last", "2", "--json").out) == {"1" * 32, "2" * 32}
    assert ids(cli("list", "--last", "9", "--json").out) == ids(cli("list", "--json").out)
    assert [row.split()[0] for row in cli("list", "--last", "1").out.splitlines()[2:]] == ["22222222"]


def test_the_prefix_of_one_written_last_is_not_that_of_an_older_trace(cli: Cli, store: Store) -> None:
    write(store, part_of(OTHER))
    os.utime(store.root / samples.TRACE_ID, ns=(0, 0))
    *_, row = cli("list", "--last", "1").out.splitlines()
    assert row.split()[0] == "7f3a91c21"


def ids(out: str) -> set[str]:
    return {trace["trace_id"] for trace in json.loads(out)}
