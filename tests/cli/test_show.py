"""`show` and `bundle`: a cassette for people, for programs, and for the post."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cassette import samples
from tests.cassette.strategies import cassettes
from tests.cli.conftest import ESCAPE, QUERY, REQUEST, Cli, part_of, write
from timetracer_otel.cassette import Cassette, dump_exchange, dump_part
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.config import MIB
from timetracer_otel.store import Store, save_bundle


def test_the_head_names_trace_service_entry_and_process(cli: Cli, store: Store) -> None:
    out = cli("show", "7f3a").out
    for words in (
        samples.TRACE_ID,
        "service   shop",
        "GET /orders/{id}   500 KeyError: 'total'",
        "app       shop.web:app",
    ):
        assert words in out
    assert "process   41 on web-1: uvicorn shop.web:app" in out
    assert "dropped   limit: 1" in out


def test_an_exchange_is_a_row(cli: Cli, store: Store) -> None:
    row = next(line for line in cli("show", "7f3a").out.splitlines() if line.startswith(QUERY.id))
    cells = [cell.strip() for cell in row.split("   ") if cell.strip()]
    assert cells == [
        QUERY.id,
        "1.5",
        "0.2",
        "psycopg SELECT",
        "select id, name from customers where id = $1 and note = $2",
        "'42', '[bold]x[/bold]'",
        "2 rows",
    ]


def test_the_traceback_of_a_failed_request_is_shown(cli: Cli, store: Store) -> None:
    out = cli("show", "7f3a").out
    assert "  Traceback (most recent call last):\n    File \\x1b[31m\n  KeyError: 'total'\n" in out


def test_one_exchange_is_shown_with_its_rows(cli: Cli, store: Store) -> None:
    lines = cli("show", "7f3a", "--exchange", "3").out.splitlines()
    assert "  name" in lines
    assert "  $1 = '42'" in lines
    assert [line.split() for line in lines[-4:] if "─" not in line] == [
        ["id", r"na\x1b[31mme"],
        ["1", r"王\x1b[31m"],
        ["2", "NULL"],
    ]


@pytest.mark.parametrize("wanted", ["3", "9f9f9f9f-3"])
def test_an_exchange_is_named_by_its_number_or_its_id(cli: Cli, store: Store, wanted: str) -> None:
    assert json.loads(cli("show", "7f3a", "--exchange", wanted, "--json").out)["id"] == QUERY.id


def test_a_request_is_shown_as_it_is(cli: Cli, store: Store) -> None:
    out = cli("show", "7f3a", "--exchange", "4").out
    assert '"path": "/orders/7"' in out
    assert "  KeyError: 'total'" in out


def test_json_is_in_readable_form_and_raw_as_it_is_stored(cli: Cli, store: Store) -> None:
    readable = json.loads(cli("show", "7f3a", "--exchange", "3", "--json").out)["result"]["results"][0]
    stored = json.loads(cli("show", "7f3a", "--exchange", "3", "--raw").out)["result"]["results"][0]
    assert readable["rows"] == [["1", f"王{ESCAPE}"], ["2", None]]
    assert (stored["rows"], stored["values"][1]) == (2, [f"王{ESCAPE}", None])


def test_json_merges_parts_and_segments(cli: Cli, store: Store) -> None:
    write(store, samples.part(1, exchanges=(samples.query(5),)))
    (segment,) = json.loads(cli("show", "7f3a", "--json").out)["segments"]
    assert [exchange["id"][-1] for exchange in segment["exchanges"]] == ["4", "1", "2", "5", "3"]
    assert segment["parts"] == [0, 1]


def test_a_named_segment_is_shown_alone(cli: Cli, store: Store) -> None:
    write(store, part_of(segment="c3" * 8, spans=(samples.span("c3" * 8),), exchanges=()))
    document = json.loads(cli("show", "7f3a/c3", "--json").out)
    assert [segment["segment"] for segment in document["segments"]] == ["c3" * 8]


@pytest.mark.parametrize("options", [(), ("--json",), ("--raw",), ("--exchange", "3"), ("--exchange", "4")])
def test_what_a_stranger_wrote_does_not_drive_the_terminal(cli: Cli, store: Store, options: tuple[str, ...]) -> None:
    out = cli("show", "7f3a", *options).out
    assert "\x1b" not in out
    assert "x1b" in out or "u001b" in out


def test_an_exchange_of_a_wrong_shape_does_not_hide_the_others(cli: Cli, folder: Path) -> None:
    broken = samples.query(9)
    write(Store(folder / "cassettes"), part_of(exchanges=(broken, QUERY)))
    out = cli("show", "7f3a").out
    assert broken.id in out
    assert "2 rows" in out


def test_a_bundle_prints_its_path_and_opens_elsewhere(cli: Cli, store: Store, tmp_path: Path) -> None:
    done = cli("bundle", "7f3a")
    path = Path(done.out.removesuffix("\n"))
    assert path.name == "shop-get-orders-id-500-7f3a91c2.cassette.json"
    moved = path.rename(tmp_path / "moved.json")
    for file in sorted(store.root.rglob("*.zst")):
        file.unlink()
    assert cli("show", str(moved), "--exchange", "3").status == 0
    assert (
        '"rows": [["1", "王' in moved.read_text().replace("\n", "").replace("  ", "") or '["1","王' in moved.read_text()
    )


def test_a_bundle_goes_where_it_is_told(cli: Cli, store: Store, tmp_path: Path) -> None:
    assert cli("bundle", "7f3a", "-o", "mine.json").out == "mine.json\n"
    assert (tmp_path / "mine.json").is_file()
    refused = cli("bundle", "7f3a", "-o", "nowhere/mine.json")
    assert refused.status == 2
    assert "nowhere" in refused.err
    assert refused.err.count("\n") == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(cassettes(), st.sampled_from([(), ("--json",), ("--raw",)]))
def test_r31_any_cassette_is_shown_and_drives_no_terminal(
    cli: Cli, folder: Path, cassette: Cassette, options: tuple[str, ...]
) -> None:
    path = save_bundle(cassette, folder / "any.cassette.json")
    done = cli("show", str(path), *options)
    assert (done.status, done.err) == (0, "")
    assert [character for character in done.out if is_hidden(character) and character != "\n"] == []


@pytest.mark.parametrize("options", [(), ("--json",), ("--raw",), ("--exchange", "3"), ("--exchange", "3", "--json")])
def test_an_integer_of_any_size_is_shown(cli: Cli, folder: Path, options: tuple[str, ...]) -> None:
    large = replace(QUERY, request={"statement": "select $1", "parameters": [10**5000]})
    write(Store(folder / "cassettes"), part_of(exchanges=(large,)))
    assert f"{10**5000:x}"[:20] in cli("show", "7f3a", *options).out


def test_a_trace_with_blobs_is_shown_whole_and_bundled(cli: Cli, folder: Path) -> None:
    store, texts = Store(folder / "cassettes"), []
    for exchange in (QUERY, replace(REQUEST, request={"path": "/upload", "body": "total " * MIB})):
        texts.append(dump_exchange(exchange, put=lambda text: store.write_blob(samples.PROCESS.id, text)))
    store.write_part(samples.TRACE_ID, samples.ROOT_ID, samples.PROCESS.id, 0, dump_part(samples.ROOT_PART, texts))
    assert len(list((store.root / "blobs").iterdir())) == 1
    assert "/upload" in cli("show", "7f3a").out
    for options in ("--exchange", "4"), ("--json",), ("--raw",), ("--exchange", "4", "--raw"):
        assert "total total" in cli("show", "7f3a", *options).out
    assert cli("bundle", "7f3a", "-o", "one.json").status == 0
    shutil.rmtree(store.root / "blobs")
    assert "total total" in cli("show", "one.json", "--json").out
    refused = cli("show", "7f3a")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "it is not there, and its cassette needs it: copy blobs/ too, or use a bundle" in refused.err
    assert cli("list").status == 0
