"""What `prune` deletes and what it leaves, beside processes that record."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import ENVIRONMENT_PART, PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query
from tests.store.processes import BEGIN, killed, living
from timetracer_otel.cassette import Blob, Process, dump_environment, dump_exchange, dump_part
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.config import MIB
from timetracer_otel.store import Store, pruning, references
from timetracer_otel.store.deleting import delete_trace
from timetracer_otel.store.pruning import Pruned

DAY_S = 86_400.0
NEW_ID = "11" * 16
PARENT_ID = "ab" * 16
CHILD = replace(PROCESS, id="cd" * 16, parent=PARENT_ID)


def prune(root: Path, older_s: float = 7 * DAY_S, is_dry_run: bool = False) -> Pruned:
    return pruning.prune(root, older_s, is_dry_run, lambda paths, what: paths)


def age(path: Path, days: float = 8) -> Path:
    """As if the file, or each file of the folder, had been written so long ago."""
    stamp = time.time() - days * DAY_S
    for each in (path, *path.rglob("*")):
        os.utime(each, (stamp, stamp))
    return path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != "lock")


def record(
    root: Path, trace_id: str, blobs: Sequence[Blob] = (), days: float = 0, process_id: str = PROCESS.id
) -> Path:
    body = [*blobs]
    exchange = replace(query(1), result={"body": body})
    process = replace(PROCESS, id=process_id)
    data = dump_part(replace(ROOT_PART, trace_id=trace_id, exchanges=(exchange,), process=process))
    path = Store(root).write_part(trace_id, ROOT_ID, process_id, 0, data)
    return age(Path(path).parent, days)


def blob(root: Path, content: bytes, days: float = 8) -> Blob:
    """In a store, without the process that wrote it."""
    store = Store(root)
    sha256 = store.write_blob(PROCESS.id, content)
    store.pending(PROCESS.id).close()
    age(root / "blobs" / sha256, days)
    return Blob(sha256, 0, len(content))


def environment(root: Path, process: Process = PROCESS, blobs: Sequence[Blob] = (), days: float = 8) -> Path:
    exchange = replace(query(1), result={"body": [*blobs]})
    store = Store(root)
    data = dump_environment(replace(ENVIRONMENT_PART, process=process, exchanges=(exchange,)))
    path = store.write_environment(process.id, 0, data)
    store.pending(process.id).close()
    return age(Path(path), days)


def test_old_traces_go_and_young_ones_stay(tmp_path: Path) -> None:
    record(tmp_path, TRACE_ID, days=8)
    record(tmp_path, NEW_ID, days=6)
    pruned = prune(tmp_path)
    assert (pruned.traces, pruned.problems) == ([TRACE_ID], [])
    assert pruned.bytes > 100
    assert [trace.trace_id for trace in Store(tmp_path).list_traces().traces] == [NEW_ID]
    assert sorted(os.listdir(tmp_path)) == [NEW_ID]


def test_a_trace_is_as_old_as_its_newest_part(tmp_path: Path) -> None:
    record(tmp_path, TRACE_ID, days=8)
    Store(tmp_path).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 1, dump_part(part(1)))
    assert prune(tmp_path).traces == []
    assert len(files(tmp_path)) == 2


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    record(tmp_path, TRACE_ID, [blob(tmp_path, b"old")], days=8)
    environment(tmp_path)
    age(tmp_path / TRACE_ID).joinpath(".x.1-abcdef01.tmp").write_bytes(b"x")
    (tmp_path / ".y.1-abcdef01.tmp").write_bytes(b"y")
    age(tmp_path)
    killed(tmp_path, "spooled(store, '22' * 16, 'ee' * 16, 1)")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    would = prune(tmp_path, is_dry_run=True)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert prune(tmp_path) == would
    assert (len(would.traces), would.environments, would.blobs, would.temporary_files) == (1, 1, 1, 1)
    assert files(tmp_path) == [f"{'22' * 16}/{ROOT_ID}-eeeeeeee.0.json.zst"]


def test_blobs_and_environments_go_with_the_last_trace_that_needs_them(tmp_path: Path) -> None:
    shared, old = blob(tmp_path, b"shared"), blob(tmp_path, b"old")
    record(tmp_path, TRACE_ID, [shared, old], days=8)
    kept = record(tmp_path, NEW_ID, [shared], process_id=CHILD.id)
    environment(tmp_path)
    of_child, of_parent = environment(tmp_path, CHILD), environment(tmp_path, replace(PROCESS, id=PARENT_ID))
    pruned = prune(tmp_path)
    assert (pruned.environments, pruned.blobs) == (1, 1)
    assert os.listdir(tmp_path / "blobs") == [shared.sha256]
    assert sorted(os.listdir(tmp_path / "processes")) == sorted([of_child.name, of_parent.name])
    age(kept)
    assert (prune(tmp_path).environments, prune(tmp_path).blobs) == (2, 0)
    assert files(tmp_path) == []


def test_a_payload_that_is_a_blob_keeps_the_blobs_that_it_names(tmp_path: Path) -> None:
    body, in_environment = blob(tmp_path, b"body"), blob(tmp_path, b"{body}")
    text = b'{"body":{"$blob":{"sha256":"%s","offset":0,"size":4}}}' % body.sha256.encode()
    payload = blob(tmp_path, text)
    record(tmp_path, NEW_ID, [payload])
    environment(tmp_path, blobs=[in_environment])
    unused = blob(tmp_path, b"unused")
    assert prune(tmp_path).blobs == 1
    assert set(os.listdir(tmp_path / "blobs")) == {body.sha256, payload.sha256, in_environment.sha256}
    assert unused.sha256 not in os.listdir(tmp_path / "blobs")


def test_what_is_young_may_have_a_part_that_is_not_written_yet(tmp_path: Path) -> None:
    blob(tmp_path, b"young", days=0)
    environment(tmp_path, days=0)
    (tmp_path / "blobs" / ".x.1-abcdef01.tmp").touch()
    assert prune(tmp_path, older_s=0.001) == Pruned()
    assert len(files(tmp_path)) == 3


def test_an_environment_that_stays_keeps_what_it_names(tmp_path: Path) -> None:
    wanted = blob(tmp_path, b"of an environment")
    parent, child = (
        environment(tmp_path, replace(PROCESS, id=PARENT_ID), [wanted]),
        environment(tmp_path, CHILD, days=0),
    )
    assert prune(tmp_path) == Pruned()
    assert files(tmp_path) == sorted([f"blobs/{wanted.sha256}", f"processes/{parent.name}", f"processes/{child.name}"])


def test_what_is_pending_keeps_what_it_names(tmp_path: Path) -> None:
    wanted = [blob(tmp_path, b"of a held part"), blob(tmp_path, b"of a spool")]
    store = Store(tmp_path)
    pending = store.pending(PROCESS.id)
    pending.hold(NEW_ID, ROOT_ID, 0, dump_part(part(0, exchanges=(replace(query(1), result={"b": wanted[0]}),))))
    spool = pending.spool(NEW_ID, ROOT_ID, 1)
    spool.append(dump_part(part(1), []))
    spool.append(dump_exchange(replace(query(2), result={"b": wanted[1]})))
    record(tmp_path, TRACE_ID, days=8)
    pending.hold(TRACE_ID, "c3" * 8, 0, dump_part(part(0)))
    age(tmp_path / "pending")
    assert prune(tmp_path) == Pruned(), "and a trace that goes on is not old"
    assert len(os.listdir(tmp_path / "blobs")) == 2


def test_the_environment_of_a_living_process_stays(tmp_path: Path) -> None:
    program = "store.write_environment(PROCESS.id, 0, dump_environment(replace(ENVIRONMENT_PART, process=PROCESS)))\n"
    imports = (
        "from tests.cassette.samples import ENVIRONMENT_PART\nfrom timetracer_otel.cassette import dump_environment\n"
    )
    with living(tmp_path, imports + program):
        age(tmp_path / "processes")
        assert prune(tmp_path).environments == 0
    assert prune(tmp_path).environments == 1
    assert files(tmp_path) == []


def test_what_a_dead_process_left_is_adopted_before_anything_is_deleted(tmp_path: Path) -> None:
    wanted = blob(tmp_path, b"body")
    exchange = f"replace(query(9), result={{'body': Blob('{wanted.sha256}', 0, 4)}})"
    spooled = f"spooled(store, TRACE_ID, PROCESS.id, 1).append(dump_exchange({exchange}))"
    record(tmp_path, TRACE_ID, days=8, process_id=CHILD.id)
    killed(tmp_path, f"from timetracer_otel.cassette import Blob\n{spooled}")
    assert prune(tmp_path) == Pruned()
    assert len(Store(tmp_path).open_cassette(TRACE_ID)[0].segments) == 2


def test_a_part_that_cannot_be_read_keeps_all_blobs_and_says_so(tmp_path: Path) -> None:
    blob(tmp_path, b"whose?")
    environment(tmp_path)
    (path,) = record(tmp_path, NEW_ID).glob("*.zst")
    path.write_bytes(path.read_bytes()[:-5])
    record(tmp_path, TRACE_ID, days=8)
    pruned = prune(tmp_path)
    assert (pruned.traces, pruned.blobs, pruned.environments) == ([TRACE_ID], 0, 0)
    assert len(pruned.problems) == 2
    assert pruned.problems[0].startswith(f"{path}: not a readable cassette: ")
    assert "all environments and blobs stay" in pruned.problems[1]
    path.unlink()
    assert (prune(tmp_path).blobs, prune(tmp_path).problems) == (1, [])


def test_r31_a_part_that_takes_too_much_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path, NEW_ID)
    (tmp_path / NEW_ID / f"{ROOT_ID}-9f9f9f9f.1.json").write_bytes(b'{"x":[' + b"[]," * 200_000 + b"[]]}")
    monkeypatch.setattr(references, "Allowance", lambda: Allowance(4 * MIB))
    assert "reading it takes more than 4 MiB of memory" in prune(tmp_path).problems[0]


def test_an_old_part_that_cannot_be_read_is_pruned_like_any_other(tmp_path: Path) -> None:
    folder = record(tmp_path, TRACE_ID)
    next(folder.iterdir()).write_bytes(b"\x28\xb5\x2f\xfd")
    age(folder)
    assert (prune(tmp_path).traces, prune(tmp_path).problems) == ([TRACE_ID], [])


def test_what_is_not_ours_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    record(tmp_path, TRACE_ID)
    outside = record(tmp_path / "notes", NEW_ID)
    mine = [
        tmp_path / TRACE_ID / "mine.txt",
        tmp_path / "notes" / "old.txt",
        tmp_path / "blobs" / "mine",
        tmp_path / ".tmp",
    ]
    (tmp_path / "blobs").mkdir()
    for path in mine:
        path.write_text("mine")
    (tmp_path / NEW_ID).symlink_to(outside)
    age(tmp_path)
    assert prune(tmp_path).traces == [TRACE_ID]
    assert all(path.read_text() == "mine" for path in mine)
    assert len(list((tmp_path / NEW_ID).iterdir())) == 1
    assert os.listdir(tmp_path / TRACE_ID) == ["mine.txt"]


def test_a_deletion_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    age(record(tmp_path, TRACE_ID).rename(tmp_path / f".{TRACE_ID}.1-abcdef01.tmp"))
    assert Store(tmp_path).list_traces().traces == ()
    assert prune(tmp_path).temporary_files == 1
    assert os.listdir(tmp_path) == []


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert prune(tmp_path / "none") == Pruned()
    assert not (tmp_path / "none").exists()


# ---- links -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of somebody else, with names as in a store; all of it is old."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / ("1" * 64)).write_bytes(b"mine")
    (folder / f"{'9' * 32}.0.json").write_bytes(b"{}")
    (folder / ".notes.1-deadbeef.tmp").write_bytes(b"mine")
    (folder / ".more.1-deadbeef.tmp").mkdir()
    (folder / ".more.1-deadbeef.tmp" / f"{ROOT_ID}-9f9f9f9f.0.json").write_bytes(b"mine")
    (folder / PROCESS.id).mkdir()
    (folder / PROCESS.id / "lock").touch()
    (folder / PROCESS.id / "0123456789abcdef.blob").write_bytes(b"mine")
    return age(folder)


@pytest.mark.parametrize("name", ["blobs", "processes", "pending"])
def test_r31_a_store_with_a_folder_that_is_a_link_is_left_as_it_is(tmp_path: Path, outside: Path, name: str) -> None:
    record(tmp_path, TRACE_ID, days=8)
    (tmp_path / name).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    pruned = prune(tmp_path)
    assert pruned == Pruned(problems=[f"{tmp_path / name}: it is a link, so nothing is deleted from this store"])
    assert sorted(outside.rglob("*")) == before
    assert (tmp_path / TRACE_ID).exists()


def test_r31_nothing_is_deleted_in_a_trace_that_is_a_link_and_what_it_names_stays(
    tmp_path: Path, outside: Path
) -> None:
    wanted = blob(tmp_path, b"of a trace that lies elsewhere")
    record(tmp_path, TRACE_ID, [wanted], days=8).rename(outside / TRACE_ID)
    (tmp_path / NEW_ID).symlink_to(outside)
    (tmp_path / TRACE_ID).symlink_to(outside / TRACE_ID)
    before = sorted(outside.rglob("*"))
    assert prune(tmp_path) == Pruned()
    assert sorted(outside.rglob("*")) == before
    assert os.listdir(tmp_path / "blobs") == [wanted.sha256]


def test_r31_a_trace_that_becomes_a_link_while_it_is_put_away_is_given_back(tmp_path: Path, outside: Path) -> None:
    (tmp_path / TRACE_ID).symlink_to(outside)
    before = sorted(outside.rglob("*"))
    assert delete_trace(tmp_path / TRACE_ID, time.time()) is None
    assert sorted(outside.rglob("*")) == before
    assert os.listdir(tmp_path) == [TRACE_ID]


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    record(tmp_path / "store", TRACE_ID, days=8)
    (tmp_path / "link").symlink_to(tmp_path / "store")
    assert prune(tmp_path / "link").traces == [TRACE_ID]


# ---- beside others ---------------------------------------------------------------------------------------------------


def test_a_trace_that_grows_while_it_is_put_away_comes_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, TRACE_ID, days=8)
    rename = os.rename

    def written_meanwhile(source: Path, target: Path) -> None:
        if source == tmp_path / TRACE_ID:
            Store(tmp_path).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 1, dump_part(part(1)))
            rename(source, target)
            Store(tmp_path).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 2, dump_part(part(2)))
        else:
            rename(source, target)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "rename", written_meanwhile)
        assert prune(tmp_path).traces == []
    assert Store(tmp_path).open_cassette(TRACE_ID)[0].segments[0].parts == (0, 1, 2)
    assert os.listdir(tmp_path) == [TRACE_ID]


def test_a_blob_that_is_used_again_while_it_is_put_away_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = blob(tmp_path, b"again")
    rename = os.rename

    def used_meanwhile(source: Path, target: Path) -> None:
        Store(tmp_path).write_blob(PROCESS.id, b"again")
        rename(source, target)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "rename", used_meanwhile)
        assert prune(tmp_path).blobs == 0
    assert os.listdir(tmp_path / "blobs") == [found.sha256]


def test_what_somebody_else_deletes_meanwhile_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(tmp_path, TRACE_ID, days=8)
    record(tmp_path, NEW_ID, days=0)

    def deleted(paths: Sequence[Path], what: str) -> Iterable[Path]:
        for path in paths:
            for each in path.iterdir():
                each.unlink()
            path.rmdir()
            yield path

    assert pruning.prune(tmp_path, 1, False, deleted) == Pruned()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_r30_writers_lose_nothing_to_who_prunes_beside_them(tmp_path: Path) -> None:
    """Each part of a writer names a blob that another trace has named before, and that nobody needs between."""
    program = """
import itertools
from timetracer_otel.cassette import Blob
print("ready", flush=True)
for number in itertools.count():
    content = bytes([number % 5]) * 1000
    found = Blob(store.write_blob(PROCESS.id, content), 0, 1000)
    data = part(0, trace_id=f"{number + 1:032x}", exchanges=(replace(query(1), result={"body": found}),))
    path = store.write_part(f"{number + 1:032x}", ROOT_ID, PROCESS.id, 0, dump_part(data))
    print(number, flush=True)
"""
    command = [sys.executable, "-c", BEGIN + program, str(tmp_path)]
    until_s, runs = time.monotonic() + 2, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        while time.monotonic() < until_s or runs < 4:
            for path in [*tmp_path.glob("0*"), *tmp_path.glob("blobs/[0-9a-f]*")][:-20]:
                try:
                    age(path)
                except FileNotFoundError:
                    continue
            assert prune(tmp_path).problems == []
            runs += 1
        writer.kill()
        numbers = [int(line) for line in writer.stdout.read().splitlines() if line.isdigit()]
    assert runs > 3
    kept = Store(tmp_path).list_traces()
    assert kept.problems == ()
    assert len(numbers) > len(kept.traces) > 0
    for trace in kept.traces[:: 1 + len(kept.traces) // 300]:  # a fast disk takes thousands
        assert Store(tmp_path).open_cassette(trace.trace_id)[0].segments[0].exchanges
