"""The spool of a process that is dead -> the part that it stands for, marked incomplete."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from timetracer_otel.cassette import Generated, Part, dump_part, load_part
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.cassette.compression import MAX_BYTES, new_stream
from timetracer_otel.config import GIB, MIB
from timetracer_otel.errors import CassetteError, DamagedCassette
from timetracer_otel.store.atomic import make_own_folder
from timetracer_otel.store.names import home_of_spool, part_name, temporary_name

LINE_MAX_BYTES: Final = 96 * MIB
"""Of one exchange in a spool, or of the part at its beginning: 64 MiB, the usual limit of a payload, as base64."""
LINE_MEMORY_MAX_BYTES: Final = GIB
"""That may be needed to read one line."""
PART_MAX_BYTES: Final = MAX_BYTES - LINE_MAX_BYTES
"""Of its exchanges: more than a reader takes would be lost as a whole."""
EXCHANGE_MIN_BYTES: Final = 64
"""No exchange is shorter, and a shorter line counts as much: what is remembered of each has a bound then."""
HEAD: Final = b'{"timetracer":'
"""Begins the first line, and those that only tell of ids."""
LOST: Final = "spool"
"""Reason under which a part counts lines that could not be adopted: cut by the death of their writer, or too many."""

_OPEN: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def write_spooled(spool: Path, target: Path) -> None:
    """The part is at `target` then. Raises OSError, UnsupportedVersion, DamagedCassette if nobody can say whose it is.

    A spool is as large as a trace may be: never more than a line of it is in memory.
    """
    with open(spool, "rb", opener=lambda path, flags: os.open(path, flags | _OPEN)) as file:
        part = _read_head(file.readline(LINE_MAX_BYTES), spool)
        begin = file.tell()
        are_kept, ids, lost = _judged(_pieces(file), spool)
        dropped = Counter(part.dropped) + Counter({LOST: lost})
        whole = replace(part, complete=False, exchanges=(), generated=(*part.generated, *ids), dropped=dropped)
        head = dump_part(whole, [])
        file.seek(begin)
        kept = (piece for is_kept, piece in zip(are_kept, _pieces(file), strict=False) if is_kept)
        _write_part(target, head, kept)


def _read_head(line: bytes, spool: Path) -> Part:
    if not line.startswith(b"{"):  # what is compressed could be anything
        raise DamagedCassette(str(spool), "its first line is no part")
    part = load_part(line, str(spool), None, Allowance(LINE_MEMORY_MAX_BYTES))
    if home_of_spool(spool.name) != (part.trace_id, part_name(part.segment, part.process.id, part.part)):
        raise DamagedCassette(str(spool), "it is named as another part than it is")
    return part


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """The lines that are left, with their ends; one that is too long comes in several pieces."""
    return iter(lambda: file.readline(LINE_MAX_BYTES), b"")


def _judged(pieces: Iterator[bytes], spool: Path) -> tuple[bytearray, list[Generated], int]:
    """Of each piece whether it is kept, as far as a part may hold them; ids from further heads; lines that are lost."""
    are_kept, ids, lost = bytearray(), list[Generated](), 0
    left, is_begin = PART_MAX_BYTES, True
    for piece in pieces:
        left -= max(len(piece), EXCHANGE_MIN_BYTES)
        line = piece.rstrip(b"\n")
        found = _ids(line, spool) if is_begin and left >= 0 else None
        ids += found or ()
        is_kept = is_begin and left >= 0 and found is None and _is_object(line)
        lost += is_begin and line != b"" and found is None and not is_kept
        if left >= 0:
            are_kept.append(is_kept)
        is_begin = piece.endswith(b"\n")  # what follows belongs to a line that is too long
    return are_kept, ids, lost


def _ids(line: bytes, spool: Path) -> tuple[Generated, ...] | None:
    """Of a head, which an exchange is not: None then."""
    if not line.startswith(HEAD):
        return None
    try:
        return load_part(line, str(spool), None, Allowance(LINE_MEMORY_MAX_BYTES)).generated
    except CassetteError:
        return None


def _is_object(line: bytes) -> bool:
    if not line.startswith(b"{") or line.startswith(HEAD):
        return False
    try:
        Allowance(LINE_MEMORY_MAX_BYTES).take(line)
        orjson.loads(line)
    except ValueError:
        return False
    return True


def _write_part(target: Path, head: bytes, exchanges: Iterator[bytes]) -> None:
    make_own_folder(target.parent)
    temporary = target.with_name(temporary_name(target.name))
    stream = new_stream()
    try:
        with open(temporary, "xb") as file:
            file.write(stream.compress(head.removesuffix(b"]}")))
            for number, exchange in enumerate(exchanges):
                file.write(stream.compress(b"," * (number > 0) + exchange.rstrip(b"\n")))
            file.write(stream.compress(b"]}") + stream.flush())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
