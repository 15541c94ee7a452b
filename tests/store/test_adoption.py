"""What dead processes left becomes incomplete parts; what living ones have is theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cassette.samples import PROCESS, ROOT_ID, ROOT_PART, TRACE_ID, part, query
from tests.store.processes import BEGIN, killed, living, run
from timetracer_otel.cassette import Part, compress, dump_exchange, dump_part, load_part
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.config import MIB, Settings
from timetracer_otel.store import Store, adoption, locking, spools
from timetracer_otel.store.adoption import Unfinished

OTHER_ID = "ab" * 16
PART_NAME = f"{ROOT_ID}-9f9f9f9f.0.json.zst"
SPOOL_NAME = f"{TRACE_ID}.{ROOT_ID}-9f9f9f9f.0.spool"
FOLDER = Path("pending") / PROCESS.id
HEAD = dump_part(part(0), [])
SPOOLS = """
for n in range(40):
    spooled(store, f"{n + 1:032x}", PROCESS.id, 3)
"""


def left(root: Path, name: str, data: bytes) -> Path:
    """A file of a process that is dead."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").touch()
    (folder / name).write_bytes(data)
    return folder / name


def spool_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def adopted_part(root: Path) -> Part:
    return load_part((root / TRACE_ID / PART_NAME).read_bytes(), PART_NAME)


def test_r24_what_a_process_had_captured_when_it_was_killed_is_adopted_and_marked_incomplete(tmp_path: Path) -> None:
    killed(tmp_path, "spooled(store, TRACE_ID, PROCESS.id, 3)")
    assert Store(tmp_path).list_traces().traces == ()
    assert Store(tmp_path).adopt() == 1
    (segment,) = Store(tmp_path).open_cassette(TRACE_ID)[0].segments
    assert segment.exchanges == tuple(query(number) for number in range(3))
    assert not segment.complete
    assert segment.dropped == {}
    assert os.listdir(tmp_path / "pending") == [], "no lock is left after a kill"
    assert Store(tmp_path).adopt() == 0


def test_held_parts_are_adopted_and_blobs_without_an_end_deleted(tmp_path: Path) -> None:
    killed(
        tmp_path,
        "store.pending(PROCESS.id).hold(TRACE_ID, ROOT_ID, 0, dump_part(part(0, exchanges=(query(1),))))\n"
        "store.pending(PROCESS.id).blob().write(b'x' * 1_000_000)\n",
    )
    assert len(os.listdir(tmp_path / FOLDER)) == 3
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path).exchanges == (query(1),)
    assert not Store(tmp_path).list_traces().traces[0].complete
    assert os.listdir(tmp_path / "pending") == []


def test_r30_what_a_living_process_has_is_left_alone(tmp_path: Path) -> None:
    with living(tmp_path, "spooled(store, TRACE_ID, PROCESS.id, 3)"):
        killed(tmp_path, f"spooled(store, TRACE_ID, '{OTHER_ID}', 2)")
        assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=1)
        assert Store(tmp_path).adopt() == 1
        assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=0)
        assert (tmp_path / FOLDER / SPOOL_NAME).exists()
    assert Store(tmp_path).unfinished() == Unfinished(processes=0, living=0, dead=1)
    assert Store(tmp_path).adopt() == 1
    assert len(Store(tmp_path).open_cassette(TRACE_ID)[0].segments) == 2


def test_r30_a_process_that_adopts_keeps_its_own_and_its_lock(tmp_path: Path) -> None:
    store = Store(tmp_path)
    spool = store.pending(PROCESS.id).spool(TRACE_ID, ROOT_ID, 0)
    spool.append(HEAD)
    assert store.adopt() == 0
    assert Store(tmp_path).adopt() == 0
    assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=0)
    assert run(tmp_path, "print(store.adopt(), store.unfinished().living)") == "0 1"
    spool.remove()
    store.pending(PROCESS.id).close()


def test_r25_a_fork_takes_over_neither_the_lock_nor_what_is_pending(tmp_path: Path) -> None:
    program = """
spooled(store, TRACE_ID, PROCESS.id, 1)
child = os.fork()
if child == 0:
    spooled(store, TRACE_ID, "ab" * 16, 2)
    os._exit(0)
os.waitpid(child, 0)
"""
    with living(tmp_path, program):
        assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=1), "the child is dead"
        assert Store(tmp_path).adopt() == 1
    assert Store(tmp_path).adopt() == 1
    counts = {s.process.id[:2]: len(s.exchanges) for s in Store(tmp_path).open_cassette(TRACE_ID)[0].segments}
    assert counts == {"9f": 1, "ab": 2}


def test_r25_what_a_dead_parent_left_is_adopted_while_its_child_lives(tmp_path: Path) -> None:
    program = """
spooled(store, TRACE_ID, PROCESS.id, 1)
if os.fork():
    os._exit(0)
spooled(store, TRACE_ID, "ab" * 16, 2)
"""
    with living(tmp_path, program) as parent:
        parent.wait(60)
        assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=1)
        assert run(tmp_path, "print(store.adopt())") == "1"
        assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=0)
        assert parent.stdin is not None
        parent.stdin.close()  # the child reads its end, and ends


def test_r25_a_child_adopts_what_its_parent_left_though_it_remembers_the_lock(tmp_path: Path) -> None:
    program = """
spooled(store, TRACE_ID, PROCESS.id, 1)
parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
print(store.adopt())
"""
    assert run(tmp_path, program) == "1"


def test_a_process_is_seen_to_live_from_a_container_that_knows_nothing_of_its_pid(tmp_path: Path) -> None:
    inside = ["unshare", "--pid", "--fork"]
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no namespaces here")
    look = [sys.executable, "-c", f"{BEGIN}print(os.getpid(), store.adopt())", str(tmp_path)]
    with living(tmp_path, "spooled(store, TRACE_ID, PROCESS.id, 3)"):
        assert subprocess.check_output([*inside, *look], text=True).split() == ["1", "0"]
    assert subprocess.check_output([*inside, *look], text=True).split() == ["1", "1"]


def test_r30_several_adopters_at_once_adopt_everything_once(tmp_path: Path) -> None:
    for number in range(4):
        killed(tmp_path, SPOOLS.replace("PROCESS.id", f"'{number:x}' * 32"))
    program = BEGIN + "print('ready', flush=True); sys.stdin.read(); print(store.adopt())"
    command = [sys.executable, "-c", program, str(tmp_path)]
    adopters = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for adopter in adopters:
        assert adopter.stdout is not None
        adopter.stdout.readline()
    counts = [int(adopter.communicate(timeout=60)[0]) for adopter in adopters]
    assert sum(counts) == 160
    assert os.listdir(tmp_path / "pending") == []
    traces = Store(tmp_path).list_traces().traces
    assert {len(trace.segments) for trace in traces} == {4}
    assert {segment.exchanges for trace in traces for segment in trace.segments} == {3}


def test_r30_several_threads_adopt_everything_once(tmp_path: Path) -> None:
    killed(tmp_path, SPOOLS)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(Store(tmp_path).adopt())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 40
    assert len(Store(tmp_path).list_traces().traces) == 40


def test_r30_a_process_that_is_killed_while_it_spools_loses_at_most_the_line_it_wrote(tmp_path: Path) -> None:
    program = """
spool = spooled(store, TRACE_ID, PROCESS.id, 0)
print("ready", flush=True)
for number in range(1_000_000):
    spool.append(dump_exchange(query(number)))
    print(number, flush=True)
"""
    command = [sys.executable, "-c", BEGIN + program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(200)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    assert Store(tmp_path).adopt() == 1
    adopted = adopted_part(tmp_path)
    numbers = [int(line) for line in said[1:] if line.endswith(b"\n")]
    assert len(adopted.exchanges) >= len(numbers) > 100
    assert adopted.exchanges == tuple(query(number) for number in range(len(adopted.exchanges)))


def test_a_torn_last_line_is_ignored_and_counted(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(HEAD, dump_exchange(query(1))) + dump_exchange(query(2))[:-10])
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path).exchanges == (query(1),)
    assert adopted_part(tmp_path).dropped == {"spool": 1}


def test_a_last_line_of_which_only_the_end_of_line_is_missing_is_whole(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(HEAD) + dump_exchange(query(1)))
    assert Store(tmp_path).adopt() == 1
    assert (adopted_part(tmp_path).exchanges, adopted_part(tmp_path).dropped) == ((query(1),), {})


@pytest.mark.parametrize("torn", [b'{"id": 1', b"\0\0\0\0", b"[]", b"7"])
def test_a_torn_line_hides_no_other(tmp_path: Path, torn: bytes) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(HEAD, torn, dump_exchange(query(1)), b"", dump_exchange(query(2))))
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path).exchanges == (query(1), query(2))
    assert adopted_part(tmp_path).dropped == {"spool": 1}


def test_a_spool_without_an_exchange_says_at_least_that_there_was_a_segment(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(dump_part(replace(ROOT_PART, exchanges=()), [])))
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path) == replace(ROOT_PART, exchanges=(), complete=False)


@pytest.mark.parametrize("data", [b"", HEAD[:-1], HEAD[:40], b"\n\n", b"[]\n", b"{}\n", b"\xff" * 100])
def test_a_spool_that_does_not_say_whose_it_is_is_deleted(tmp_path: Path, data: bytes) -> None:
    left(tmp_path, SPOOL_NAME, data)
    assert Store(tmp_path).adopt() == 0
    assert os.listdir(tmp_path / "pending") == []
    assert not (tmp_path / TRACE_ID).exists()


@pytest.mark.parametrize(
    "forged",
    [part(0, trace_id="11" * 16), part(0, segment="cc" * 8), part(1), part(0, process=replace(PROCESS, id="cc" * 16))],
)
def test_a_spool_that_is_named_as_another_part_is_deleted(tmp_path: Path, forged: Part) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(dump_part(forged, [])))
    assert Store(tmp_path).adopt() == 0
    assert os.listdir(tmp_path) == ["pending"]


def test_a_spool_whose_part_was_written_is_discarded(tmp_path: Path) -> None:
    Store(tmp_path).write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, dump_part(ROOT_PART))
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    left(tmp_path, f"{TRACE_ID}.{PART_NAME}", b"held")
    assert Store(tmp_path).adopt() == 0
    assert adopted_part(tmp_path) == ROOT_PART
    assert os.listdir(tmp_path / "pending") == []


def test_a_held_part_goes_before_the_spool_of_the_same_part(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    left(tmp_path, f"{TRACE_ID}.{PART_NAME}", dump_part(ROOT_PART))
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path) == ROOT_PART


def test_what_a_newer_release_left_is_left_to_it(tmp_path: Path) -> None:
    path = left(tmp_path, SPOOL_NAME, spool_of(HEAD.replace(b'"timetracer":1', b'"timetracer":99')))
    other = left(tmp_path, SPOOL_NAME.replace(".0.", ".1."), spool_of(dump_part(part(1), [])))
    assert Store(tmp_path).adopt() == 1
    assert path.exists()
    assert not other.exists()
    assert Store(tmp_path).unfinished() == Unfinished(processes=0, living=0, dead=1)


def _fifo(folder: Path) -> None:
    os.mkfifo(folder / SPOOL_NAME)


def _link(folder: Path) -> None:
    (folder / SPOOL_NAME).symlink_to(folder.parent.parent / "mine")


def _lock_that_leads_elsewhere(folder: Path) -> None:
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(folder.parent.parent / "mine")


def _folder_that_leads_elsewhere(folder: Path) -> None:
    outside = folder.parent.parent / "outside"
    outside.mkdir()
    (outside / "0123456789abcdef.blob").touch()
    (folder.parent / OTHER_ID).symlink_to(outside)


def _names_of_nothing(folder: Path) -> None:
    (folder / "notes.txt").touch()
    (folder / f"{'7F' * 16}.{PART_NAME}").touch()
    (folder / f"{TRACE_ID}.{PART_NAME}.zst").touch()
    (folder.parent / "..x").mkdir()
    (folder.parent / ("AB" * 16)).mkdir()


@pytest.mark.parametrize(
    "forge", [_fifo, _link, _lock_that_leads_elsewhere, _folder_that_leads_elsewhere, _names_of_nothing]
)
def test_r31_what_a_stranger_put_into_pending_is_neither_followed_nor_deleted(
    tmp_path: Path, forge: Callable[[Path], None]
) -> None:
    (tmp_path / "mine").write_bytes(spool_of(HEAD))
    left(tmp_path, SPOOL_NAME, b"").unlink()
    forge(tmp_path / FOLDER)
    before = sorted(path for path in tmp_path.rglob("*") if path.name != "lock" and path != tmp_path / FOLDER)
    assert Store(tmp_path).adopt() == 0
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "lock" and path != tmp_path / FOLDER) == before
    assert (tmp_path / "mine").read_bytes() == spool_of(HEAD)


def test_r31_nothing_is_adopted_into_a_trace_that_is_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / PART_NAME).write_bytes(b"mine")
    (tmp_path / TRACE_ID).symlink_to(outside)
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    left(tmp_path, SPOOL_NAME.replace(".0.", ".1."), spool_of(dump_part(part(1), [])))
    left(tmp_path, f"{TRACE_ID}.{PART_NAME}", dump_part(ROOT_PART))
    left(tmp_path, f"{TRACE_ID}.{PART_NAME.replace('.0.', '.2.')}", dump_part(part(2)))
    before = sorted(tmp_path.rglob("*"))
    assert Store(tmp_path).adopt() == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert (outside / PART_NAME).read_bytes() == b"mine"


def test_r31_what_lies_behind_a_link_is_not_pending(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    left(elsewhere, SPOOL_NAME, spool_of(HEAD))
    left(elsewhere, "0123456789abcdef.blob", b"mine")
    store = tmp_path / "store"
    store.mkdir()
    (store / "pending").symlink_to(elsewhere / "pending")
    before = sorted(tmp_path.rglob("*"))
    assert Store(store).adopt() == 0
    assert Store(store).unfinished() == Unfinished(processes=0, living=0, dead=0)
    assert sorted(tmp_path.rglob("*")) == before


def test_r31_a_line_that_would_take_too_much_memory_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "LINE_MEMORY_MAX_BYTES", 4 * MIB)
    bomb = b'{"x":[' + b"[]," * 200_000 + b"[]]}"
    left(tmp_path, SPOOL_NAME, spool_of(HEAD, bomb, dump_exchange(query(1))))
    left(tmp_path, SPOOL_NAME.replace(".0.", ".1."), spool_of(HEAD[:-1] + b',"more":' + bomb + b"}"))
    assert Store(tmp_path).adopt() == 1
    assert (adopted_part(tmp_path).exchanges, adopted_part(tmp_path).dropped) == ((query(1),), {"spool": 1})


def test_r31_a_spool_that_is_compressed_is_none(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, compress(HEAD).replace(b"\n", b"") + b"\n")
    assert Store(tmp_path).adopt() == 0
    assert os.listdir(tmp_path) == ["pending"]


def test_a_payload_of_64_mib_fits_into_a_line() -> None:
    assert 4 * Settings().payload_max_bytes / 3 < spools.LINE_MAX_BYTES - MIB
    Allowance(spools.LINE_MEMORY_MAX_BYTES).take(b'{"body":"' + b"x" * (86 * MIB) + b'"}')


def many_left(root: Path, processes: int, spools_of_each: int) -> None:
    for number in range(processes):
        process = replace(PROCESS, id=f"{number + 1:032x}")
        for trace in range(spools_of_each):
            trace_id = f"{trace + 1:032x}"
            folder = root / "pending" / process.id
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "lock").touch()
            name = f"{trace_id}.{number + 1:016x}-{process.id[:8]}.0.spool"
            head = part(0, trace_id=trace_id, segment=f"{number + 1:016x}", process=process)
            (folder / name).write_bytes(spool_of(dump_part(head, [])))


def test_an_application_adopts_as_much_as_it_has_time_for_and_leaves_the_rest_to_the_next(tmp_path: Path) -> None:
    many_left(tmp_path, processes=4, spools_of_each=3)
    counts = []
    while os.listdir(tmp_path / "pending"):
        counts.append(adoption.adopt(tmp_path, seconds=0))
        assert len(counts) < 1000
    assert sum(counts) == 12
    assert set(counts) == {1}


def test_what_an_application_cannot_adopt_hides_nothing_from_the_next(tmp_path: Path) -> None:
    many_left(tmp_path, processes=4, spools_of_each=1)
    for path in sorted(tmp_path.rglob("*.spool"))[:3]:
        path.write_bytes(path.read_bytes().replace(b'"timetracer":1', b'"timetracer":99'))
    for _ in range(1000):
        if adoption.adopt(tmp_path, seconds=0):
            break
    assert len(list(tmp_path.glob("0*/*.zst"))) == 1
    assert Store(tmp_path).unfinished().dead == 3


def test_thousands_of_dead_folders_take_an_application_no_longer_than_it_allows(tmp_path: Path) -> None:
    many_left(tmp_path, processes=2000, spools_of_each=1)
    began_s = time.monotonic()
    assert 0 < adoption.adopt(tmp_path, seconds=0.05) < 2000
    assert time.monotonic() - began_s < 30
    assert Store(tmp_path).unfinished().dead > 0


def test_an_application_leaves_a_large_spool_to_the_command_line(tmp_path: Path) -> None:
    large = spool_of(HEAD, dump_exchange(replace(query(1), result={"body": "x" * adoption.APP_SPOOL_MAX_BYTES})))
    left(tmp_path, SPOOL_NAME, large)
    left(tmp_path, SPOOL_NAME.replace(".0.", ".1."), spool_of(dump_part(part(1), [])))
    assert adoption.adopt(tmp_path, seconds=60) == 1
    assert Store(tmp_path).unfinished() == Unfinished(processes=0, living=0, dead=1)
    assert Store(tmp_path).adopt() == 1
    assert len(adopted_part(tmp_path).exchanges) == 1


def test_a_large_spool_is_adopted_in_little_memory_and_only_as_far_as_a_part_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = dump_exchange(replace(query(1), result={"body": os.urandom(100_000)}))
    left(tmp_path, SPOOL_NAME, spool_of(HEAD, *[line] * 300))
    monkeypatch.setattr(spools, "PART_MAX_BYTES", 200 * len(line))
    Store(tmp_path / "imports").adopt()
    tracemalloc.start()
    try:
        assert Store(tmp_path).adopt() == 1
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    adopted = adopted_part(tmp_path)
    assert (len(adopted.exchanges), adopted.dropped) == (199, {"spool": 101})


def test_a_line_that_is_longer_than_any_exchange_is_read_past(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "LINE_MAX_BYTES", len(HEAD) + 1)
    left(tmp_path, SPOOL_NAME, spool_of(HEAD, b'{"a":"' + b"x" * 5000 + b'"}', dump_exchange(query(1))))
    assert Store(tmp_path).adopt() == 1
    assert adopted_part(tmp_path).exchanges == (query(1),)
    assert adopted_part(tmp_path).dropped == {"spool": 1}


READ_ONLY = """
store.unfinished(), store.list_traces()  # all is imported: the interpreter's own folder may be closed to others
os.setgid(65534), os.setuid(65534)
print(store.adopt(), store.unfinished().dead, len(store.list_traces().traces))
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may become somebody else")
def test_what_one_may_only_read_is_left_to_others() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        root = Path(name)
        root.chmod(0o755)
        killed(root, "spooled(store, TRACE_ID, PROCESS.id, 3)")
        assert run(root, READ_ONLY) == "0 1 0"
        assert Store(root).adopt() == 1


def test_a_full_disk_leaves_the_spool_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = left(tmp_path, SPOOL_NAME, spool_of(HEAD, dump_exchange(query(1))))
    (tmp_path / TRACE_ID).write_text("no folder can be here")
    assert Store(tmp_path).adopt() == 0
    assert path.exists()
    (tmp_path / TRACE_ID).unlink()
    assert Store(tmp_path).adopt() == 1


# ---- systems without locks -------------------------------------------------------------------------------------------


def age(folder: Path, seconds: float) -> None:
    for path in (*folder.iterdir(), folder):
        stamp = path.stat().st_mtime - seconds
        os.utime(path, (stamp, stamp))


def test_without_locks_a_process_counts_as_dead_a_day_after_its_last_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "_try", lambda descriptor, shared=False: None)
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    age(tmp_path / FOLDER, locking.SILENT_S - 60)
    assert Store(tmp_path).unfinished() == Unfinished(processes=1, living=1, dead=0)
    assert Store(tmp_path).adopt() == 0
    age(tmp_path / FOLDER, 120)
    assert Store(tmp_path).unfinished() == Unfinished(processes=0, living=0, dead=1)
    assert Store(tmp_path).adopt() == 1
    assert os.listdir(tmp_path / "pending") == []


def test_a_folder_without_a_lock_is_one_that_is_being_made_for_a_day(tmp_path: Path) -> None:
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    (tmp_path / FOLDER / "lock").unlink()
    assert Store(tmp_path).adopt() == 0
    age(tmp_path / FOLDER, locking.SILENT_S + 60)
    assert Store(tmp_path).adopt() == 1


def test_a_lock_that_was_replaced_since_it_was_opened_is_not_the_folders_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another adopter has put the folder away, and its process has made a new one, between our open and our lock."""
    left(tmp_path, SPOOL_NAME, spool_of(HEAD))
    real = locking._try

    def replaced_meanwhile(descriptor: int, shared: bool = False) -> bool | None:
        (tmp_path / FOLDER / "lock").unlink()
        (tmp_path / FOLDER / "lock").touch()
        return real(descriptor, shared)

    monkeypatch.setattr(locking, "_try", replaced_meanwhile)
    assert Store(tmp_path).adopt() == 0
    monkeypatch.setattr(locking, "_try", real)
    assert Store(tmp_path).adopt() == 1
