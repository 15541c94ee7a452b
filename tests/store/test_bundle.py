from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_ID, ROOT_PART, TRACE_ID, query, span
from tests.cassette.strategies import any_text, cassettes
from timetracer_otel.cassette import (
    Cassette,
    Entry,
    EnvironmentPart,
    Process,
    load_bundle,
    merge,
)
from timetracer_otel.store import Store, bundle_name, dump_bundle, save_bundle, write_bundle

OTHER = replace(ROOT_PART, segment="c3" * 8, process=Process("33" * 16), spans=(span("c3" * 8, 2**62),))
CASSETTE = merge(TRACE_ID, [ROOT_PART, OTHER], [ENVIRONMENT_PART, EnvironmentPart(OTHER.process, 0)])


def named(entry: Entry | None, service: str | None = "shop") -> str:
    resource = {} if service is None else {"service.name": service}
    return bundle_name(merge(TRACE_ID, [replace(ROOT_PART, entry=entry, resource=resource)]))


@given(cassettes())
def test_a_bundle_gives_the_same_cassette(cassette: Cassette) -> None:
    assert repr(load_bundle(dump_bundle(cassette), "")) == repr(cassette)


def test_a_saved_bundle_opens_anywhere(tmp_path: Path) -> None:
    path = save_bundle(CASSETTE, tmp_path)
    assert path == tmp_path / "shop-get-orders-id-500-7f3a91c2.cassette.json"
    cassette, segment = Store(tmp_path / "no store").open_cassette(str(path))
    assert (replace(cassette, path=""), segment) == (CASSETTE, None)
    assert save_bundle(CASSETTE, tmp_path / "mine.json") == tmp_path / "mine.json"
    assert (tmp_path / "mine.json").read_bytes() == path.read_bytes()


def test_a_bundle_of_one_segment_holds_its_environment_and_no_other(tmp_path: Path) -> None:
    path = save_bundle(CASSETTE, tmp_path, ROOT_ID)
    cassette = load_bundle(path.read_bytes(), "")
    assert [segment.id for segment in cassette.segments] == [ROOT_ID]
    assert list(cassette.environments) == [ROOT_PART.process.id]
    assert b"3333" not in path.read_bytes()


def test_a_bundle_is_laid_out_so_that_one_change_is_one_line(tmp_path: Path) -> None:
    rows = [[str(number), f"name {number}"] for number in range(50)]
    lines = []
    for total in ("12.50", "13.50"):
        exchange = replace(query(1), result={"results": [{"rows": [*rows, ["x", total]], "tag": "SELECT 51"}]})
        lines.append(dump_bundle(merge(TRACE_ID, [replace(ROOT_PART, exchanges=(exchange,))])).splitlines())
    assert len(lines[0]) == len(lines[1])
    changed = [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]
    assert [(before.strip(), after.strip()) for before, after in changed] == [(b'["x","12.50"]', b'["x","13.50"]')]
    assert max(map(len, lines[0])) < 160


def test_a_bundle_is_plain_json() -> None:
    assert orjson.loads(dump_bundle(CASSETTE))["segments"][0]["segment"] == ROOT_ID


def test_nothing_in_a_bundle_turns_a_line_around_or_drives_a_terminal() -> None:
    hostile = "a\u202eb\x9b31m\x7f\u2028\U000e0041é日"
    cassette = merge(TRACE_ID, [replace(ROOT_PART, entry=Entry("http.server", hostile, "200"))])
    data = dump_bundle(cassette)
    assert data.decode().replace("\n", "").isprintable()
    assert b'"a\\u202eb\\u009b31m\\u007f\\u2028\\udb40\\udc41\xc3\xa9' in data
    assert load_bundle(data, "").segments == cassette.segments


@pytest.mark.parametrize(
    ("entry", "service", "name"),
    [
        (Entry("task.run", "charge", "failed"), "celery", "celery-charge-failed-7f3a91c2"),
        (Entry("http.server", "GET /orders/{id}", "200"), None, "http-server-get-orders-id-200-7f3a91c2"),
        (Entry("http.server", "GET /Straße/é", "500 KeyError: 'x'"), "Läden", "laden-get-strae-e-500-7f3a91c2"),
        (Entry("function", "", ""), "shop", "shop-7f3a91c2"),
        (None, "shop", "shop-7f3a91c2"),
        (None, None, "trace-7f3a91c2"),
        (Entry("http.server", "/../../etc/passwd", "../x"), "..", "etc-passwd-x-7f3a91c2"),
    ],
)
def test_the_name_of_a_bundle_says_what_it_is(entry: Entry | None, service: str | None, name: str) -> None:
    assert named(entry, service) == f"{name}.cassette.json"


@given(st.builds(Entry, any_text, st.text(max_size=300), st.text(max_size=300)), st.text(max_size=300))
def test_the_name_of_a_bundle_is_safe_and_short_whatever_it_is_made_of(entry: Entry, service: str) -> None:
    name = named(entry, service)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-7f3a91c2\.cassette\.json", name)
    assert len(name) <= 100
    assert "--" not in name


def test_a_bundle_never_takes_the_place_of_a_pipe_or_a_device(tmp_path: Path) -> None:
    """It is renamed over its target: as root `-o /dev/null` would be the end of /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileExistsError, match="no regular file"):
        save_bundle(CASSETTE, tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_bundle_that_has_its_path_is_written_there_or_nowhere(tmp_path: Path) -> None:
    path = write_bundle(CASSETTE, tmp_path / "mine.cassette.json")
    assert path.is_file()
    folder = tmp_path / "folder.cassette.json"
    folder.mkdir()
    with pytest.raises(FileExistsError, match="it is no regular file"):
        write_bundle(CASSETTE, folder)
    assert list(folder.iterdir()) == []


def test_r31_segments_of_the_same_entry_have_bundles_of_their_own(tmp_path: Path) -> None:
    paths = {save_bundle(CASSETTE, tmp_path, segment_id).name for segment_id in (ROOT_ID, "c3" * 8, None)}
    assert paths == {
        "shop-get-orders-id-500-7f3a91c2-a1a1a1a1.cassette.json",
        "shop-get-orders-id-500-7f3a91c2-c3c3c3c3.cassette.json",
        "shop-get-orders-id-500-7f3a91c2.cassette.json",
    }


@pytest.mark.parametrize(
    "name",
    ["[../../x]", "[/abs]", "[a:b*?]", "x" * 400, "[é]", "[e\u0301]", "CON", "nul.txt", "a\\b", " .", "A", "\x00\n"],
)
def test_r31_a_name_from_outside_makes_one_file_in_the_folder_that_every_system_takes(
    name: str, tmp_path: Path
) -> None:
    entry = Entry("http.server", name, name)
    cassette = merge(TRACE_ID, [replace(ROOT_PART, entry=entry, resource={"service.name": name})])
    path = save_bundle(cassette, tmp_path)
    assert [path] == list(tmp_path.iterdir())
    assert re.fullmatch(r"[a-z0-9-]{1,86}\.cassette\.json", path.name)
    assert path.name.split(".")[0].split("-")[-1] == "7f3a91c2"  # never only a name that Windows keeps for itself
