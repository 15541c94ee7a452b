"""What dead processes left in `pending/` -> parts, marked incomplete. Whoever comes next does it, one at a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from timetracer_otel.cassette.compression import MAX_BYTES, new_stream
from timetracer_otel.config import MIB
from timetracer_otel.errors import DamagedCassette, UnsupportedVersion
from timetracer_otel.store import locking
from timetracer_otel.store.atomic import make_folder
from timetracer_otel.store.names import (
    home_of_held,
    home_of_spool,
    is_leftover,
    part_name,
    pending_files,
    process_folders,
    temporary_name,
)
from timetracer_otel.store.pending import move_held

LINE_MAX_BYTES: Final = 64 * MIB
"""Of one exchange in a spool, or of the part at its beginning."""
PART_MAX_BYTES: Final = MAX_BYTES - LINE_MAX_BYTES
"""Of its exchanges: more than a reader takes would be lost as a whole."""
LOST: Final = "spool"
"""Reason under which a part counts lines that could not be adopted: cut by the death of their writer, or too many."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Segments that lie in `pending/`: those of living processes, and those that nobody has adopted yet."""

    processes: int
    """That live."""
    living: int
    dead: int


def adopt(root: Path) -> int:
    """How many parts came of it. What cannot be adopted now stays, for the next one who tries."""
    adopted = 0
    with suppress(OSError):
        for folder in process_folders(root):
            with suppress(OSError):  # a store that we may only read; a process that somebody else adopts
                adopted += _adopt_process(root, folder)
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


def _adopt_process(root: Path, folder: Path) -> int:
    lock = locking.take_over(folder)
    if lock is None:
        return 0
    try:
        adopted = sum(_adopt_file(root, path) for path in pending_files(folder))
        _clear(folder)
        if locking.put_away(lock):
            return adopted
    except BaseException:
        lock.release()
        raise
    lock.release()
    return adopted


def _adopt_file(root: Path, path: Path) -> bool:
    """Whether a part came of it."""
    try:
        if home_of_held(path.name) is not None:
            return _adopt_held(root, path)
        return _adopt_spool(root, path)
    except (OSError, UnsupportedVersion):  # no room, no right; or a newer release will know what it is
        return False


def _adopt_held(root: Path, path: Path) -> bool:
    target = root.joinpath(*home_of_held(path.name) or ())
    if target.exists():
        path.unlink()
        return False
    move_held(root, path)
    return True


def _adopt_spool(root: Path, path: Path) -> bool:
    target = root.joinpath(*home_of_spool(path.name) or ())
    if target.exists():  # its process died between writing the part and removing the spool
        path.unlink()
        return False
    try:
        begin = _beginning(path)
    except DamagedCassette:  # not even the line that says whose it is
        path.unlink()
        return False
    _write_part(target, begin, path)
    path.unlink()
    return True


def _beginning(path: Path) -> bytes:
    """The part up to its first exchange. Raises DamagedCassette, UnsupportedVersion, OSError."""
    from timetracer_otel.cassette import dump_part, load_part

    with open(path, "rb") as file:
        head = file.readline(LINE_MAX_BYTES)
    part = load_part(head, str(path))
    if home_of_spool(path.name) != (part.trace_id, part_name(part.segment, part.process.id, part.part)):
        raise DamagedCassette(str(path), "it is named as another part than it is")
    lost = Counter[str]()
    for _ in _exchanges(path, lost):
        pass
    whole = replace(part, complete=False, exchanges=(), dropped=Counter(part.dropped) + lost)
    return dump_part(whole, []).removesuffix(b"]}")


def _write_part(target: Path, begin: bytes, spool: Path) -> None:
    """Piece by piece: a spool is as large as a trace may be."""
    make_folder(target.parent)
    temporary = target.with_name(temporary_name(target.name))
    stream = new_stream()
    try:
        with open(temporary, "xb") as file:
            file.write(stream.compress(begin))
            for number, exchange in enumerate(_exchanges(spool, Counter())):
                file.write(stream.compress(b"," * (number > 0) + exchange))
            file.write(stream.compress(b"]}") + stream.flush())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _exchanges(path: Path, lost: Counter[str]) -> Iterator[bytes]:
    """Each whole line below the first one, as far as a part may hold them; the others are counted."""
    left = PART_MAX_BYTES
    with open(path, "rb") as file:
        file.readline(LINE_MAX_BYTES)
        is_begin = True
        while piece := file.readline(LINE_MAX_BYTES):
            line = piece.rstrip(b"\n")
            left -= len(piece)
            if is_begin and left >= 0 and _is_object(line):
                yield line
            elif is_begin and line:
                lost[LOST] += 1
            is_begin = piece.endswith(b"\n")  # what follows belongs to a line that is too long


def _is_object(line: bytes) -> bool:
    import orjson

    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _segment(path: Path) -> str:
    """Trace and root span."""
    trace_id, part, _ = path.name.split(".", 2)
    return f"{trace_id}.{part}"


def _clear(folder: Path) -> None:
    for name in os.listdir(folder):
        if is_leftover(name):
            with suppress(OSError):
                (folder / name).unlink()
