"""R30: threads and processes write into one store, some are killed, while others read, adopt and prune."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.cassette.samples import TRACE_ID
from tests.store.processes import BEGIN, PROJECT
from timetracer_otel.cassette import Blob
from timetracer_otel.store import Store, pruning
from timetracer_otel.store.resolving import Resolver

WRITER = """
import threading
from tests.cassette.samples import ENVIRONMENT_PART
from timetracer_otel.cassette import Blob, dump_environment

process = replace(PROCESS, id=sys.argv[2] * 32)
store.write_environment(process.id, 0, dump_environment(replace(ENVIRONMENT_PART, process=process)))
pending = store.pending(process.id)

def write(thread):
    for count in range(int(sys.argv[3])):
        root_id = f"{sys.argv[2]}{thread:03x}{count:012x}"
        content = b"%d" % (count % 7) * 5000
        body = Blob(store.write_blob(process.id, content), 0, len(content))
        first, second = replace(query(1), result={"body": body}), query(2)
        spool = pending.spool(TRACE_ID, root_id, 1)
        spool.append(dump_part(part(1, segment=root_id, process=process), []))
        spool.append(dump_exchange(second))
        pending.hold(TRACE_ID, root_id, 0, dump_part(part(0, segment=root_id, process=process, exchanges=(first,))))
        os.write(1, f"{root_id} 1\\n".encode())
        pending.keep(TRACE_ID, root_id)
        data = dump_part(part(1, segment=root_id, process=process, exchanges=(second,)))
        store.write_part(TRACE_ID, root_id, process.id, 1, data)
        spool.remove()
        os.write(1, f"{root_id} 2\\n".encode())

for number in range(3):
    threading.Thread(target=write, args=(number,), daemon=True).start()
sys.stdin.read()
os.kill(os.getpid(), 9)
"""
WRITERS = 4
ROUNDS = 30
SEGMENTS = 3 * ROUNDS
TIME_LIMIT_S = 120


def start(root: Path, digit: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", BEGIN + WRITER, str(root), digit, str(ROUNDS)]
    with open(root / f"said-{digit}", "wb") as said:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, cwd=PROJECT)


def acknowledged(root: Path, digit: str) -> dict[str, int]:
    """Segments by how far their writer said that it was."""
    lines = (root / f"said-{digit}").read_bytes().splitlines(keepends=True)
    return {line[:16].decode(): int(line[17:]) for line in lines if line.endswith(b"\n")}


def test_r30_nothing_is_lost_torn_or_left_locked_whoever_is_killed_meanwhile(tmp_path: Path) -> None:
    writers = {f"{number:x}": start(tmp_path, f"{number:x}") for number in range(1, WRITERS + 1)}
    store, until_s = Store(tmp_path), time.monotonic() + TIME_LIMIT_S
    while any(writer.poll() is None for writer in writers.values()):
        assert time.monotonic() < until_s
        assert store.list_traces().problems == ()
        store.adopt()
        assert pruning.prune(tmp_path, 86_400, False, lambda paths, what: paths).traces == []
        for number, (digit, writer) in enumerate(writers.items()):
            # The first is killed while it writes, the next one a little later, the last when it has written all.
            if len(acknowledged(tmp_path, digit)) > number * SEGMENTS // WRITERS:
                writer.kill()
    for writer in writers.values():
        writer.communicate()
    store.adopt()
    assert os.listdir(tmp_path / "pending") == []
    check(tmp_path, {root_id: step for digit in writers for root_id, step in acknowledged(tmp_path, digit).items()})


def check(root: Path, said: dict[str, int]) -> None:
    segments = {segment.id: segment for segment in Store(root).open_cassette(TRACE_ID)[0].segments}
    assert len(said) > SEGMENTS
    for root_id in said:
        assert segments[root_id].parts == (0, 1)
        assert [exchange.id for exchange in segments[root_id].exchanges] == ["9f9f9f9f-1", "9f9f9f9f-2"]
    assert all(Resolver(root)(Blob(name, 0, 1)) for name in os.listdir(root / "blobs"))
    assert list(root.rglob("*.spool")) + list(root.rglob("lock")) == []
