"""R40: a body of any size in bounded memory, and what of it is kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import pytest

from tests.drivers.asgi.parts import MemoryTape
from timetracer_otel.capture import guard
from timetracer_otel.capture.table import Captured
from timetracer_otel.cassette.model import Blob
from timetracer_otel.config import KIB, MIB
from timetracer_otel.drivers.asgi import body as bodies
from timetracer_otel.drivers.asgi import lending
from timetracer_otel.drivers.asgi.body import CHUNK_OVERHEAD, CHUNKS_MAX, MERGED_BYTES, STRUCTURED_MAX, Body

PAYLOAD_MAX = 64 * MIB
PIECE = b"\x07" * (64 * KIB)
BINARY = [(b"Content-Type", b"application/octet-stream")]


def heard(
    tape: MemoryTape, chunks: Iterable[bytes], headers: Iterable[tuple[bytes, bytes]] = BINARY, ends: bool = True
) -> Body:
    """As the tap does it."""
    body = Body(0, PAYLOAD_MAX, list(headers))
    captured = Captured("asgi", None)
    for chunk in chunks:
        body.hear(chunk)
        if body.is_large:
            body.go_to_disk(tape, captured)
    if ends:
        body.end()
    return body


def held() -> int:
    return lending.budget.held


def blobs(body: Body) -> list[Blob]:
    slices, lost = body.slices()
    assert lost is None
    return [chunk for _, chunk in slices if isinstance(chunk, Blob)]


# ---- to disk ---------------------------------------------------------------------------------------------------------


def test_a_small_body_stays_in_memory() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 15)
    assert tape.spills == []
    assert (len(body.chunks), body.held) == (15, 15 * (len(PIECE) + CHUNK_OVERHEAD))


def test_r40_a_large_body_goes_to_disk_and_memory_holds_what_the_writer_has_not_taken() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 100, ends=False)
    (spill,) = tape.spills
    assert (body.chunks, len(spill.waiting)) == ([], 100)
    assert held() == 100 * (len(PIECE) + CHUNK_OVERHEAD)
    spill.take()
    assert held() == body.held == 100 * CHUNK_OVERHEAD
    body.end()
    assert spill.is_ended
    assert blobs(body) == [Blob("0" * 64, number * len(PIECE), len(PIECE)) for number in range(100)]
    times = [at for at, _ in body.slices()[0]]
    assert times == sorted(times)
    body.release()
    assert held() == 0


def test_r40_a_body_in_one_chunk_goes_to_disk_too() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [b"\x07" * 5 * MIB])
    tape.spills[0].take()
    assert blobs(body) == [Blob("0" * 64, 0, 5 * MIB)]


def test_without_a_way_to_disk_a_body_stays_in_memory_up_to_the_limit() -> None:
    body = heard(MemoryTape(), [PIECE] * 160)
    assert len(body.chunks) == 160
    body.release()
    body = heard(MemoryTape(), [PIECE] * 1100)
    assert (body.chunks, body.dropped, body.size) == ([], "limit", 1100 * len(PIECE))


def test_r40_beyond_the_limit_the_file_goes_and_the_size_is_still_counted() -> None:
    tape = MemoryTape(has_disk=True)
    body = Body(0, 10 * MIB, BINARY)
    for _ in range(200):
        body.hear(PIECE)
        if body.is_large:
            body.go_to_disk(tape, Captured("asgi", None))
        for spill in tape.spills:
            spill.take()
    body.end()
    assert (body.dropped, body.size, body.slices()) == ("limit", 200 * len(PIECE), ((), "limit"))
    assert tape.spills[0].discards == 1
    assert held() == 0


def test_r40_a_body_that_announces_too_much_is_never_begun() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 20, [*BINARY, (b"content-length", b"200000000")])
    assert (tape.spills, body.dropped, body.size) == ([], "limit", 20 * len(PIECE))
    assert heard(tape, [b"x"], [*BINARY, (b"content-length", b"200000000")]).dropped is None  # HEAD announces as well


def test_r40_where_the_disk_is_slower_than_the_client_the_body_goes_and_its_memory_once_the_writer_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lending.budget, "max_bytes", 3 * MIB)
    tape = MemoryTape(has_disk=True)
    monkeypatch.setattr(
        "tests.drivers.asgi.parts.MemorySpill.discard", lambda spill: None
    )  # the writer is not there yet
    body = heard(tape, [PIECE] * 100)
    assert (body.dropped, body.size) == ("in_flight", 100 * len(PIECE))
    assert 2 * MIB < held() <= 3 * MIB
    tape.spills[0].take()
    assert held() == 0


# ---- what must be redacted as a whole --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"application/json")],
        [(b"CONTENT-TYPE", b"text/html; charset=utf-8")],
        [(b"content-type", b"image/png"), (b"Content-Encoding", b"gzip")],
    ],
)
def test_r40_a_structured_body_stays_in_memory_and_above_its_bound_cannot_be_redacted(
    headers: list[tuple[bytes, bytes]],
) -> None:
    tape = MemoryTape(has_disk=True)
    whole = heard(tape, [PIECE] * 255, headers)
    assert (len(whole.chunks), whole.dropped) == (255, None)
    whole.release()
    large = heard(tape, [PIECE] * 300, headers)
    assert (large.chunks, large.dropped, large.size) == ([], "unredactable", 300 * len(PIECE))
    announced = heard(tape, [PIECE] * 20, [*headers, (b"content-length", b"%d" % (STRUCTURED_MAX + 1))])
    assert announced.dropped == "unredactable"
    assert (tape.spills, held()) == ([], 0)


@pytest.mark.parametrize(("start", "spills"), [(b' \n{"a": 1}', 0), (b"[1, 2", 0), (b"{\0\1\2", 1), (b"plain", 1)])
def test_a_body_that_begins_as_json_counts_as_structured_whatever_its_type(start: bytes, spills: int) -> None:
    tape = MemoryTape(has_disk=True)
    heard(tape, [start, *[PIECE] * 20])
    assert len(tape.spills) == spills


# ---- many chunks -----------------------------------------------------------------------------------------------------


def test_r40_a_million_tiny_chunks_cost_no_more_than_their_bytes_and_the_borders_that_are_kept() -> None:
    body = heard(MemoryTape(), repeat(b"tick", 1_000_000))
    assert (body.heard, body.size, body.dropped) == (1_000_000, 4_000_000, None)
    assert held() == body.held < 4_000_000 + (CHUNKS_MAX + 100) * CHUNK_OVERHEAD
    sizes = [len(chunk) for _, chunk in body.chunks]
    assert (sizes[:CHUNKS_MAX], set(sizes[CHUNKS_MAX:-1])) == ([4] * CHUNKS_MAX, {MERGED_BYTES})
    assert b"".join(chunk for _, chunk in body.chunks) == b"tick" * 1_000_000


def test_borders_are_merged_on_the_way_to_disk_too() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [b"tick" * 64] * (CHUNKS_MAX + 5000))
    (spill,) = tape.spills
    assert len(spill.waiting) == CHUNKS_MAX + 20
    spill.take()
    assert b"".join(spill.taken) == b"tick" * 64 * (CHUNKS_MAX + 5000)
    assert body.is_merged
    assert len(blobs(body)) == CHUNKS_MAX + 20


def test_what_came_before_a_moment_is_not_in_one_piece_with_what_came_after_it() -> None:
    body = heard(MemoryTape(), [b"."] * (CHUNKS_MAX + 3), ends=False)
    body.settle()
    body.hear(b"later")
    body.end()
    assert [chunk for _, chunk in body.chunks[CHUNKS_MAX:]] == [b"...", b"later"]


# ---- never hurts -----------------------------------------------------------------------------------------------------


def broken(*args: object) -> None:
    raise RuntimeError("our own fault")


@pytest.mark.parametrize("method", ["write", "end", "discard", "blobs"])
def test_a_spill_that_fails_costs_its_body_and_nothing_else(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(guard, "failures", type(guard.failures)())
    monkeypatch.setattr(f"tests.drivers.asgi.parts.MemorySpill.{method}", broken)
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 100)
    if method == "discard":
        body.drop("limit")
    else:
        tape.spills[0].take()
    lost = body.slices()[1]
    assert lost == {"write": "store", "end": "store", "blobs": "store", "discard": "limit"}[method]
    body.release()
    assert held() == 0
    assert guard.failures[lending.TAP] >= 1
    assert len(caplog.records) == 1


def test_a_tape_whose_way_to_disk_fails_keeps_the_body_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "strict", False)
    monkeypatch.setattr(MemoryTape, "spill", broken)
    assert len(heard(MemoryTape(has_disk=True), [PIECE] * 100).chunks) == 100


def test_a_store_that_refuses_is_named() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 20)
    tape.spills[0].take()
    tape.spills[0].reason = "store_max"
    assert body.slices() == ((), "store_max")


def test_r40_a_body_that_nobody_refers_to_any_more_lets_go_of_its_file_and_its_memory() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 100, ends=False)
    body.release()
    del body
    assert tape.spills[0].discards == 1
    assert held() == 0


def test_a_body_that_is_in_a_cassette_leaves_its_file_there() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 20)
    tape.spills[0].take()
    assert blobs(body) != []
    del body
    assert tape.spills[0].discards == 0


def test_a_body_is_not_looked_at_before_its_end_or_before_the_writer_has_it() -> None:
    tape = MemoryTape(has_disk=True)
    body = heard(tape, [PIECE] * 20, ends=False)
    assert (body.is_open, body.slices()) == (True, ((), "open"))
    body.end()
    assert (body.is_open, body.slices()) == (False, ((), "open"))
    tape.spills[0].take()
    assert len(blobs(body)) == 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_r23_a_forked_child_begins_with_an_empty_budget_and_gives_nothing_back_that_it_has_not_taken() -> None:
    body = heard(MemoryTape(has_disk=True), [PIECE] * 20)
    assert held() > 0
    child = os.fork()
    if child == 0:
        first = held()
        body.release()
        os._exit(0 if (first, held()) == (0, 0) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_headers_that_are_no_headers_do_not_matter_to_a_small_body() -> None:
    odd: Any = [(1, 2)]
    assert heard(MemoryTape(), [b"x"], odd).slices()[1] is None


def test_the_bounds_are_in_the_order_that_the_code_relies_on() -> None:
    assert bodies.MEMORY_MAX < STRUCTURED_MAX < PAYLOAD_MAX
    assert MERGED_BYTES < bodies.MEMORY_MAX
