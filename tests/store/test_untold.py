"""What processes lost and no part says yet."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.cassette.samples import PROCESS
from tests.store.processes import killed, living
from timetracer_otel.store import Store
from timetracer_otel.store.adoption import adopt
from timetracer_otel.store.untold import MAX_BYTES

LOSE = "store.pending(PROCESS.id).save_losses({'store_max': 2, 'guard.store.ENOSPC': 1})"
LOST = {"store_max": 2, "guard.store.ENOSPC": 1}
FOLDER = Path("pending") / PROCESS.id


def test_r26_what_a_killed_process_lost_is_adopted_once_by_who_can_say_it(tmp_path: Path) -> None:
    killed(tmp_path, LOSE)
    assert Store(tmp_path).adopt() == 0
    assert Store(tmp_path).untold_losses() == LOST, "a command writes no part that could say it"
    first, second = Counter[str](), Counter[str]()
    adopt(tmp_path, losses=first)
    adopt(tmp_path, losses=second)
    assert (first, second) == (LOST, {})
    assert not (tmp_path / FOLDER).exists()


def test_r30_what_a_living_process_lost_is_its_own_to_say(tmp_path: Path) -> None:
    losses = Counter[str]()
    with living(tmp_path, LOSE):
        adopt(tmp_path, losses=losses)
        assert (losses, Store(tmp_path).untold_losses()) == ({}, LOST)


def test_r26_a_store_without_room_has_room_for_losses(tmp_path: Path) -> None:
    store = Store(tmp_path, store_max_bytes=0)
    store.pending(PROCESS.id).save_losses({"part": 1})
    store.pending(PROCESS.id).save_losses({"part": 2})
    assert store.untold_losses() == {"part": 2}
    store.pending(PROCESS.id).save_losses({})
    assert store.untold_losses() == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1]",
        b"{",
        b"[" * MAX_BYTES,
        b'{"a": 1, "\\u001b[31m": 1, "b": -1, "c": true, "d": 9e9, "e": "1"}',
        b'{"a": 1}' + b" " * MAX_BYTES,
    ],
    ids=["empty", "a list", "cut", "deep", "odd names and numbers", "large"],
)
def test_r31_a_strangers_file_counts_as_far_as_it_counts_losses(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "losses.json").write_bytes(data)
    assert Store(tmp_path).untold_losses() == ({"a": 1} if b"u001b" in data else {})


def test_r31_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b'{"part": 1}')
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "losses.json").symlink_to(tmp_path / "elsewhere")
    assert Store(tmp_path).untold_losses() == {}
