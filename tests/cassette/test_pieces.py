"""Large data in pieces says what the whole of it says."""

from __future__ import annotations

import errno
import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette import pieces
from timetracer_otel.cassette.pieces import PIECE_BYTES

NEAR = st.integers(-8, 8)
"""Places near a cut."""


def around(cut: bytes, place: int, filler: bytes = b".") -> bytes:
    """Three pieces; `cut` begins so far from where the first one ends."""
    return filler * (PIECE_BYTES + place) + cut + filler * 2 * PIECE_BYTES


@given(st.text("ab", max_size=9), st.integers(0, 4), st.integers(1, 4))
def test_pieces_are_all_of_it_in_order_and_each_ends_with_what_follows(text: str, overlap: int, size: int) -> None:
    found = list(pieces.pieces(text, overlap, size))
    assert "".join(piece[:size] for piece in found) == text
    assert all(piece == text[at * size :][: size + overlap] for at, piece in enumerate(found))


@given(st.sampled_from([b'{"$', b"{", b'","$', b"null", b'{"$text":{"$b64"']), NEAR)
def test_what_lies_across_a_cut_is_found_and_counted_once(word: bytes, place: int) -> None:
    data = around(word, place)
    for sought in (b'{"$', b"null"):
        assert pieces.contains(data, sought) == (sought in data)
        assert pieces.count(data, sought) == data.count(sought)


@given(st.sampled_from(["é", "€", "🎈"]).map(str.encode), NEAR, st.booleans())
def test_a_character_across_a_cut_is_one(character: bytes, place: int, is_cut: bool) -> None:
    data = around(character[: -1 if is_cut else None], place)
    assert pieces.is_utf8(data) != is_cut
    if not is_cut:
        assert "".join(pieces.texts(data)) == data.decode()


def test_only_a_thread_that_nobody_waits_for_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[str] = []
    monkeypatch.setattr(pieces, "_next_yield_s", 0.0)
    monkeypatch.setattr(pieces, "perf_counter", itertools.count().__next__)  # a second each
    monkeypatch.setattr(pieces, "sleep", lambda _: slept.append(threading.current_thread().name))

    def work() -> None:
        pieces.take_turn()
        list(pieces.pieces("abc", size=1))

    list(pieces.pieces("abc", size=1))
    thread = threading.Thread(target=work, name="writer")
    thread.start()
    thread.join()
    assert slept == ["writer"] * 3


class Slow:
    """Whoever is let in before us takes so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.now_s, self.yields, self._seconds = 1000.0, 0, seconds

    def let_in(self) -> None:
        self.yields += 1
        self.now_s += self._seconds


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 100), (0.0005, 100), (0.002, 1)])
def test_a_thread_that_writes_for_itself_lets_others_have_the_processor_unless_they_keep_it(
    seconds: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(seconds)
    monkeypatch.setattr(pieces, "_yield", slow.let_in)
    monkeypatch.setattr(pieces, "_next_yield_s", 0.0)
    monkeypatch.setattr(pieces, "perf_counter", lambda: slow.now_s)
    for _ in range(100):
        pieces.give_way()
    assert slow.yields == expected
    slow.now_s += 100 * seconds
    pieces.give_way()
    assert slow.yields == expected + 1


def test_r26_a_system_that_knows_no_time_to_wake_at_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: float) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(pieces, "_next_yield_s", 0.0)
    monkeypatch.setattr(pieces, "perf_counter", itertools.count().__next__)
    monkeypatch.setattr(pieces, "sleep", refuse)
    found: list[str] = []

    def work() -> None:
        pieces.take_turn()
        found.extend(pieces.pieces("abc", size=1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["a", "b", "c"]
