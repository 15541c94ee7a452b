from __future__ import annotations

import gc
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import ENVIRONMENT_PART, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query, span
from timetracer_otel.cassette import (
    Cassette,
    Environment,
    EnvironmentPart,
    Part,
    Process,
    decompress,
    dump_environment,
    dump_part,
)
from timetracer_otel.errors import (
    CassetteAmbiguous,
    CassetteError,
    CassetteNotFound,
    DamagedCassette,
    UnsupportedVersion,
)
from timetracer_otel.store import Store, save_bundle

OTHER_TRACE_ID = "7f3b" + "0" * 28
WORKER = Process(id="9e" * 16, parent=PROCESS.id)
SECOND_ID = "a2" * 8
SECOND = replace(ROOT_PART, segment=SECOND_ID, process=WORKER, spans=(span(SECOND_ID, 2**62),), exchanges=(query(8),))


def write(store: Store, *parts: Part) -> None:
    for each in parts:
        store.write_part(each.trace_id, each.segment, each.process.id, each.part, dump_part(each))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "cassettes")
    write(store, ROOT_PART, SECOND, replace(ROOT_PART, trace_id=OTHER_TRACE_ID))
    store.write_environment(PROCESS.id, 0, dump_environment(ENVIRONMENT_PART))
    store.write_environment("55" * 16, 0, dump_environment(EnvironmentPart(Process("55" * 16), 0)))
    return store


def opened(store: Store, wanted: object) -> Cassette:
    cassette, segment = store.open_cassette(str(wanted))
    assert segment is None
    return cassette


def test_a_trace_opens_by_its_id_and_by_any_beginning_that_is_its_own(store: Store) -> None:
    whole = opened(store, TRACE_ID)
    assert [segment.id for segment in whole.segments] == [ROOT_ID, SECOND_ID]
    assert whole.path == str(store.root / TRACE_ID)
    for wanted in (TRACE_ID.upper(), "7f3a", "7F3a", TRACE_ID[:31]):
        assert opened(store, wanted) == whole


def test_a_trace_has_the_environments_of_its_processes_and_of_their_parents_and_no_others(store: Store) -> None:
    cassette = opened(store, "7f3a")
    assert list(cassette.environments) == [WORKER.id, PROCESS.id]
    inherited = Environment(PROCESS, ENVIRONMENT_PART.exchanges)
    assert cassette.environment_of(cassette.segments[1]) == (inherited, Environment(WORKER))


def test_a_grandchild_has_the_environments_of_all_its_ancestors(store: Store) -> None:
    grandchild = Process(id="9d" * 16, parent=WORKER.id)
    write(store, replace(ROOT_PART, trace_id="ee" * 16, process=grandchild))
    store.write_environment(WORKER.id, 0, dump_environment(EnvironmentPart(WORKER, 0)))
    cassette = opened(store, "ee")
    chain = [environment.process for environment in cassette.environment_of(cassette.segments[0])]
    assert chain == [PROCESS, WORKER, grandchild]


def test_a_segment_is_named_after_its_cassette_in_every_form(store: Store, tmp_path: Path) -> None:
    bundled = save_bundle(opened(store, TRACE_ID), tmp_path)
    for cassette in (TRACE_ID, "7f3a", store.root / TRACE_ID, bundled):
        for beginning in (SECOND_ID, "a2", "A2a"):
            assert store.open_cassette(f"{cassette}/{beginning}")[1] == SECOND_ID
    assert store.open_cassette(f"{TRACE_ID[:8]}/{SECOND_ID[:8]}")[1] == SECOND_ID


def test_a_folder_elsewhere_opens_with_the_environments_beside_it(store: Store, tmp_path: Path) -> None:
    original = replace(opened(store, TRACE_ID), path="")
    moved = tmp_path / "mailed" / "the failing order"
    shutil.copytree(store.root / TRACE_ID, moved)
    assert opened(store, moved).environments == {}
    shutil.copytree(store.root / "processes", moved.parent / "processes")
    assert replace(opened(store, moved), path="") == original
    assert replace(opened(store, f"{moved}/"), path="") == original


def test_a_folder_opens_by_a_relative_path(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    original = opened(store, TRACE_ID)
    monkeypatch.chdir(store.root / TRACE_ID)
    assert replace(opened(store, "."), path="") == replace(original, path="")


def test_a_file_opens_packed_or_not(store: Store, tmp_path: Path) -> None:
    (packed,) = (store.root / TRACE_ID).glob(f"{ROOT_ID}-*")
    assert [segment.id for segment in opened(store, packed).segments] == [ROOT_ID]
    assert list(opened(store, packed).environments) == [PROCESS.id]
    plain = tmp_path / "part.json"
    plain.write_bytes(decompress(packed.read_bytes()))
    assert opened(store, plain).segments == opened(store, packed).segments


def test_a_part_that_somebody_unpacked_beside_itself_counts_once(store: Store) -> None:
    before = opened(store, TRACE_ID)
    for packed in (store.root / TRACE_ID).glob("*.zst"):
        packed.with_suffix("").write_bytes(decompress(packed.read_bytes()))
    assert opened(store, TRACE_ID) == before


def test_left_over_and_foreign_files_are_passed_over(store: Store) -> None:
    before = opened(store, TRACE_ID)
    for name in (f".{ROOT_ID}-9f9f9f9f.1.json.zst.41-00.tmp", "notes.json", ".DS_Store"):
        (store.root / TRACE_ID / name).write_bytes(b"half")
    (store.root / "processes" / f".{PROCESS.id}.1.json.zst.41-00.tmp").write_bytes(b"half")
    assert opened(store, TRACE_ID) == before


def message(store: Store, wanted: object, kind: type[CassetteError]) -> str:
    with pytest.raises(kind) as caught:
        store.open_cassette(str(wanted))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_beginning_of_several_traces_is_ambiguous(store: Store) -> None:
    assert message(store, "7f3", CassetteAmbiguous) == (
        f"7f3: fits 2 traces ({TRACE_ID}, {OTHER_TRACE_ID}); name one of them"
    )
    assert "fits 2 traces" in message(store, "7", CassetteAmbiguous)
    assert "fits 2 traces" in message(store, "7f3/a", CassetteAmbiguous)


def test_a_beginning_of_several_segments_is_ambiguous(store: Store) -> None:
    assert message(store, "7f3a/a", CassetteAmbiguous) == (
        f"7f3a/a: fits 2 segments (7f3a91c2/{ROOT_ID}, 7f3a91c2/{SECOND_ID}); name one of them"
    )


@pytest.mark.parametrize("wanted", ["00", "nothing.json", "", "7f3a91c2" * 5, "/", "7f3a\x00", "x" * 5000, "ünknown"])
def test_what_does_not_exist_is_not_found(store: Store, wanted: str) -> None:
    kind = DamagedCassette if wanted == "/" else CassetteNotFound
    message(store, wanted, kind)


def test_a_segment_that_does_not_exist_is_not_found_and_the_others_are_named(store: Store) -> None:
    text = message(store, "7f3a/ff", CassetteNotFound)
    assert f"which has the segments 7f3a91c2/{ROOT_ID}, 7f3a91c2/{SECOND_ID}" in text


def test_an_empty_store_is_said_in_words(tmp_path: Path) -> None:
    store = Store(tmp_path / "cassettes")
    assert f"a trace in {store.root} (there is no such folder)" in message(store, "7f3a", CassetteNotFound)
    store.root.mkdir()
    assert f"a trace in {store.root} (an empty store)" in message(store, "7f3a", CassetteNotFound)
    store.root.rmdir()
    store.root.write_text("mine")
    assert f"a trace in {store.root} (which is a file, not a store)" in message(store, "7f3a", CassetteNotFound)


def test_a_folder_without_parts_is_no_cassette_but_may_be_named_like_a_trace(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "7f3a").mkdir()
    (tmp_path / "db").mkdir()
    monkeypatch.chdir(tmp_path)
    assert opened(store, "7f3a").trace_id == TRACE_ID
    assert message(store, "db", DamagedCassette).startswith("db: not a readable cassette: the folder holds no part")


def test_a_trace_of_which_nothing_was_written_is_not_found(store: Store) -> None:
    (store.root / ("7f3a" + "f" * 28)).mkdir()
    assert opened(store, "7f3a").trace_id == TRACE_ID
    assert "no such cassette" in message(store, "7f3af", CassetteNotFound)


def test_a_damaged_part_is_named(store: Store) -> None:
    (packed,) = (store.root / TRACE_ID).glob(f"{ROOT_ID}-*")
    packed.write_bytes(packed.read_bytes()[:-20])
    for wanted in ("7f3a", packed):
        assert message(store, wanted, DamagedCassette).startswith(f"{packed}: not a readable cassette: the end of the")


def test_a_damaged_environment_is_named(store: Store) -> None:
    damaged = store.root / "processes" / f"{PROCESS.id}.1.json.zst"
    damaged.write_bytes(b"PK\x03\x04")
    assert message(store, "7f3a", DamagedCassette).startswith(f"{damaged}: not a readable cassette: neither JSON nor")


def test_a_newer_file_asks_for_a_newer_release(tmp_path: Path) -> None:
    newer = tmp_path / "newer.cassette.json"
    newer.write_text('{"timetracer": 2}')
    assert "upgrade timetracer-otel" in message(Store(tmp_path), newer, UnsupportedVersion)


def test_other_files_of_a_store_are_no_traces(store: Store) -> None:
    environment = store.root / "processes" / f"{PROCESS.id}.0.json.zst"
    assert "it is the environment of a process, not a trace" in message(store, environment, DamagedCassette)
    (store.root / TRACE_ID / f"{ROOT_ID}-9f9f9f9f.1.json.zst").write_bytes(environment.read_bytes())
    assert "the environment of a process, not a part of a trace" in message(store, TRACE_ID, DamagedCassette)


def test_parts_of_two_traces_in_one_folder_are_refused(store: Store) -> None:
    for each in (store.root / OTHER_TRACE_ID).iterdir():
        shutil.copy(each, store.root / TRACE_ID / each.name.replace(".0.", ".1."))
    assert f"a part of trace {OTHER_TRACE_ID} among those of {TRACE_ID}" in message(store, TRACE_ID, DamagedCassette)


def test_a_file_that_cannot_be_read_is_named(store: Store) -> None:
    (packed,) = (store.root / TRACE_ID).glob(f"{ROOT_ID}-*")
    packed.unlink()
    packed.mkdir()
    text = message(store, TRACE_ID, DamagedCassette)
    assert text.startswith(f"{packed}: not a readable cassette: it cannot be read (Is a directory)")


def test_a_beginning_of_hundreds_of_traces_does_not_print_hundreds_of_ids(store: Store) -> None:
    write(store, *(replace(ROOT_PART, trace_id=f"cc{number:030x}") for number in range(300)))
    text = message(store, "cc", CassetteAmbiguous)
    assert "fits 300 traces" in text
    assert len(text) < 300


def test_a_file_larger_than_any_cassette_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no room
    assert "it is larger than any cassette" in message(Store(tmp_path), large, DamagedCassette)


def test_the_ids_inside_a_file_are_no_paths(store: Store, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.json"
    hostile.write_bytes(dump_part(part(0)).replace(PROCESS.id.encode(), b"../../../../../../../../etc/pass"))
    assert "process.id is not 32 hexadecimal digits" in message(store, hostile, DamagedCassette)


def test_a_pipe_or_a_device_among_the_parts_is_named_and_not_read(store: Store) -> None:
    """Reading the one would wait for ever, reading the other would never end."""
    (packed,) = (store.root / TRACE_ID).glob(f"{ROOT_ID}-*")
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        packed.unlink()
        make(packed)
        assert "it is no regular file" in message(store, TRACE_ID, DamagedCassette)


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_of_python_is_as_it_was(store: Store, is_enabled: bool) -> None:
    (gc.enable if is_enabled else gc.disable)()
    try:
        store.open_cassette(TRACE_ID)
        assert gc.isenabled() is is_enabled
        with pytest.raises(CassetteNotFound):
            store.open_cassette("beef")
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()
