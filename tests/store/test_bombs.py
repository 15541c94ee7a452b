"""Files made to harm whoever opens them give one line within bounded time and memory, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest
import zstandard

from tests.cassette.samples import PROCESS, ROOT_ID, ROOT_PART, TRACE_ID
from timetracer_otel.cassette import dump_part
from timetracer_otel.config import GIB, MIB
from timetracer_otel.store import Store

RESIDENT_MAX_BYTES: Final = 2 * GIB
"""A text of 512 MiB, and what unpacking needs. (What may be opened can take up to 4 GiB; that is not tried here.)"""
ADDRESSES_MAX_BYTES: Final = 8 * GIB
"""orjson reserves twelve times the size of a text, and touches what it needs."""
TIME_MAX_S: Final = 60

OPEN: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
from timetracer_otel.errors import CassetteError
from timetracer_otel.store import Store
try:
    cassette, _ = Store(sys.argv[1]).open_cassette(sys.argv[2])
    print("opened", len(cassette.segments))
except CassetteError as error:
    print(type(error).__name__, error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
HEAD: Final = dump_part(ROOT_PART).removesuffix(b"}") + b',"more":'


def repeated(unit: bytes, total_bytes: int) -> Iterator[bytes]:
    block = unit * max(1, MIB // len(unit))
    for _ in range(total_bytes // len(block)):
        yield block


def within(begin: bytes, middle: Iterable[bytes], end: bytes) -> Iterator[bytes]:
    yield HEAD + begin
    yield from middle
    yield end + b"}"


UNPACKED: Final = "it unpacks to more than 512 MiB"
TOO_MUCH: Final = "reading it takes more than 4096 MiB of memory"
OPENED: Final = "opened 1"
BOMBS: Final[dict[str, tuple[Callable[[], Iterable[bytes]], str]]] = {
    "zeros": (lambda: repeated(b"\0", GIB), UNPACKED),
    "spaces": (lambda: within(b"", repeated(b" ", 520 * MIB), b"1"), UNPACKED),
    "lists": (lambda: within(b"[", repeated(b"[],", 200 * MIB), b"1]"), TOO_MUCH),
    "mappings": (lambda: within(b"[", repeated(b'{"a":1},', 150 * MIB), b"1]"), TOO_MUCH),
    "texts of brackets": (lambda: within(b"[", repeated(b'"\\"","[",', 250 * MIB), b'"a"]'), TOO_MUCH),
    "an open text": (lambda: within(b'"', repeated(b"\\\\", 100 * MIB), b""), "not JSON ("),
    "depth": (lambda: within(b"", repeated(b"[", 100 * MIB), b""), TOO_MUCH),
    "less depth": (lambda: within(b"", repeated(b"[", MIB), b""), "not JSON ("),
    "a wide text": (lambda: within('"😀'.encode(), repeated(b"x", 100 * MIB), b'"'), OPENED),
    "a number of many digits": (lambda: within(b"0.", repeated(b"7", 100 * MIB), b"e-9"), OPENED),
    "an integer of many digits": (lambda: within(b'{"$int":"0x', repeated(b"7", 100 * MIB), b'"}'), OPENED),
    "one name for all": (lambda: within(b"{", repeated(b'"name":1,', 10 * MIB), b'"name":1}'), OPENED),
}


def opened(store: Store, wanted: str) -> tuple[str, int]:
    """What was said, and the bytes of memory that it took to say it."""
    command = [sys.executable, "-c", OPEN, str(store.root), wanted, str(ADDRESSES_MAX_BYTES)]
    began = time.monotonic()
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIME_MAX_S)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert time.monotonic() - began < TIME_MAX_S
    said, resident_bytes = ran.stdout.splitlines()
    return said, int(resident_bytes)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is kept there, and ru_maxrss in KiB")
@pytest.mark.parametrize("kind", BOMBS)
def test_r31_a_bomb_is_refused_within_bounded_time_and_memory(kind: str, tmp_path: Path) -> None:
    store, (pieces, expected) = Store(tmp_path), BOMBS[kind]
    path = Path(store.write_part(TRACE_ID, ROOT_ID, PROCESS.id, 0, b""))
    stream = zstandard.ZstdCompressor(level=1).compressobj()
    with path.open("wb") as file:
        file.writelines(stream.compress(piece) for piece in pieces())
        file.write(stream.flush())
    assert path.stat().st_size < MIB
    said, resident_bytes = opened(store, TRACE_ID)
    assert expected in said
    assert said.startswith((OPENED, f"DamagedCassette {path}: not a readable cassette: "))
    assert resident_bytes < RESIDENT_MAX_BYTES
