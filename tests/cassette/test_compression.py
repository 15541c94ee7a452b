from __future__ import annotations

import subprocess
import sys
import threading
from types import FrameType

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette import compress, decompress


@given(st.binary(max_size=5000))
def test_what_is_compressed_comes_back(data: bytes) -> None:
    assert decompress(compress(data)) == data


def test_what_is_not_zstd_is_taken_as_it_is() -> None:
    assert decompress(b'{"timetracer": 1}') == b'{"timetracer": 1}'


def test_a_file_that_is_cut_anywhere_is_refused() -> None:
    packed = compress(b"x" * 10_000 + bytes(range(256)))
    for length in range(4, len(packed)):
        with pytest.raises(ValueError, match=r"the end of the file is missing|damaged zstd"):
            decompress(packed[:length])


def test_a_flipped_bit_is_noticed() -> None:
    packed = compress(bytes(range(256)) * 4)
    for position in range(4, len(packed)):
        flipped = packed[:position] + bytes([packed[position] ^ 1]) + packed[position + 1 :]
        with pytest.raises(ValueError):
            decompress(flipped)


def test_bytes_after_the_end_are_noticed() -> None:
    with pytest.raises(ValueError, match="3 bytes after its end"):
        decompress(compress(b"data") + b"abc")
    with pytest.raises(ValueError, match="3000 bytes after its end"):
        decompress(compress(b"data") + bytes(3000))


def test_data_above_the_limit_is_refused_packed_or_not() -> None:
    for data in (bytes(1001), compress(bytes(1001))):
        with pytest.raises(ValueError, match="more than"):
            decompress(data, max_bytes=1000)
    assert decompress(compress(bytes(1000)), max_bytes=1000) == bytes(1000)


def test_a_bomb_does_not_take_more_memory_than_the_limit_and_a_step() -> None:
    program = (
        "import resource, sys, zstandard\n"
        "from timetracer_otel.cassette import decompress\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "bomb, before = sys.stdin.buffer.read(), peak()\n"
        "try: decompress(bomb, max_bytes=2**20)\n"
        "except ValueError: print(peak() - before)\n"
    )
    writer = zstandard.ZstdCompressor().compressobj()
    bomb = b"".join(writer.compress(bytes(2**20)) for _ in range(1000)) + writer.flush()
    ran = subprocess.run([sys.executable, "-c", program], input=bomb, capture_output=True, check=True)
    assert int(ran.stdout) < 100 * 1024, "KiB; the bomb unpacks to a thousand MiB"


def test_threads_compress_side_by_side() -> None:
    data = [bytes([number]) * 100_000 for number in range(8)]
    packed: dict[int, bytes] = {}

    def work(number: int) -> None:
        for _ in range(20):
            packed[number] = compress(data[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [decompress(packed[number]) for number in range(8)] == data


def test_a_large_part_is_whole_though_another_is_compressed_in_between_in_the_same_thread() -> None:
    """As a finalizer or a signal handler of the application does: here whenever a piece has been compressed."""
    between = 0

    def after(frame: FrameType, event: str, argument: object) -> None:
        nonlocal between
        if event == "c_return" and getattr(argument, "__name__", "") == "compress":
            sys.setprofile(None)
            between += 1
            compress(b"another part")
            sys.setprofile(after)

    pieces = [bytes([number]) * 600_000 for number in range(4)]
    sys.setprofile(after)
    try:
        packed = compress(*pieces)
    finally:
        sys.setprofile(None)
    assert between >= 4
    assert decompress(packed) == b"".join(pieces)
