"""What dead processes left in `pending/` -> parts, marked incomplete. Whoever comes next does it, one at a time."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from timetracer_otel.config import MIB
from timetracer_otel.errors import DamagedCassette, UnsupportedVersion
from timetracer_otel.store import locking
from timetracer_otel.store.names import home_of_held, home_of_spool, is_leftover, pending_files, process_folders
from timetracer_otel.store.pending import move_held
from timetracer_otel.store.untold import take_losses

APP_SPOOL_MAX_BYTES: Final = 4 * MIB
"""Larger ones take so long that an application leaves them to the command line."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Segments that lie in `pending/`: those of living processes, and those that nobody has adopted yet."""

    processes: int
    """That live."""
    living: int
    dead: int


@dataclass(frozen=True, slots=True)
class _Budget:
    """What may be done at once."""

    until_s: float | None
    """On the monotonic clock; None: everything."""

    def is_used_up(self) -> bool:
        return self.until_s is not None and time.monotonic() >= self.until_s

    def allows(self, spool: Path) -> bool:
        return self.until_s is None or spool.lstat().st_size <= APP_SPOOL_MAX_BYTES


def adopt(root: Path, seconds: float | None = None, losses: Counter[str] | None = None) -> int:
    """How many parts came of it. What cannot be adopted now stays, for the next one who tries.

    With `seconds` it ends after about that time, after one file at least, and leaves large spools alone. Losses that
    no part says are added to `losses`, of whoever writes a part that says them; without it they stay.
    """
    adopted = 0
    with suppress(OSError):
        folders = process_folders(root)
        if seconds is not None:  # somewhere else each time: those that stay hide the others from nobody
            start = int.from_bytes(os.urandom(4), "big") * len(folders) >> 32
            folders = folders[start:] + folders[:start]
        budget = _Budget(None if seconds is None else time.monotonic() + seconds)
        for folder in folders:
            with suppress(OSError):  # a store that we may only read; a process that somebody else adopts
                adopted += _adopt_process(root, folder, budget, losses)
            if budget.is_used_up():
                break
    return adopted


def unfinished(root: Path) -> Unfinished:
    """Changes nothing. Raises OSError if the store cannot be read."""
    segments: dict[bool, int] = {True: 0, False: 0}
    processes = 0
    for folder in process_folders(root):
        with suppress(OSError):  # somebody else's, closed to us
            is_alive = locking.is_alive(folder)
            processes += is_alive
            segments[is_alive] += len({_segment(path) for path in pending_files(folder)})
    return Unfinished(processes, living=segments[True], dead=segments[False])


def _adopt_process(root: Path, folder: Path, budget: _Budget, losses: Counter[str] | None) -> int:
    lock = locking.take_over(folder)
    if lock is None:
        return 0
    try:
        adopted, is_done = _adopt_files(root, folder, budget)
        if losses is not None:
            losses.update(take_losses(folder))
        if is_done:
            _clear(folder)
        if is_done and locking.put_away(lock):
            return adopted
    except BaseException:
        lock.release()
        raise
    lock.release()
    return adopted


def _adopt_files(root: Path, folder: Path, budget: _Budget) -> tuple[int, bool]:
    """How many parts came of them, and whether all were tried."""
    adopted = 0
    for number, path in enumerate(pending_files(folder)):
        if number and budget.is_used_up():
            return adopted, False
        adopted += _adopt_file(root, path, budget)
    return adopted, True


def _adopt_file(root: Path, path: Path, budget: _Budget) -> bool:
    """Whether a part came of it."""
    target = root.joinpath(*(home_of_held(path.name) or home_of_spool(path.name) or ()))
    try:
        if target.parent.is_symlink():  # whose folder that is, nobody knows
            return False
        if home_of_held(path.name) is not None:
            return _adopt_held(root, path, target)
        return budget.allows(path) and _adopt_spool(path, target)
    except (OSError, UnsupportedVersion):  # no room, no right; or a newer release will know what it is
        return False


def _adopt_held(root: Path, path: Path, target: Path) -> bool:
    if target.exists():
        path.unlink()
        return False
    move_held(root, path)
    return True


def _adopt_spool(path: Path, target: Path) -> bool:
    from timetracer_otel.store.spools import write_spooled  # an application rarely needs it

    if target.exists():  # its process died between writing the part and removing the spool
        path.unlink()
        return False
    try:
        write_spooled(path, target)
    except DamagedCassette:  # not even the line that says whose it is
        path.unlink()
        return False
    path.unlink()
    return True


def _segment(path: Path) -> str:
    """Trace and root span."""
    trace_id, part, _ = path.name.split(".", 2)
    return f"{trace_id}.{part}"


def _clear(folder: Path) -> None:
    for name in os.listdir(folder):
        if is_leftover(name):
            with suppress(OSError):
                (folder / name).unlink()
