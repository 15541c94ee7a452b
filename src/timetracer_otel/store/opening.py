"""What somebody calls a cassette -> the cassette: a path, a trace id or the beginning of one, a segment's name."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.errors import CassetteAmbiguous, CassetteNotFound, DamagedCassette
from timetracer_otel.store.names import part_files, trace_folders
from timetracer_otel.store.reading import read_file, read_folder

_TRACE_PREFIX: Final = re.compile(r"[0-9a-f]{1,32}")
_SEGMENT_NAME: Final = re.compile(r"(.+)/([0-9a-fA-F]{1,16})", re.DOTALL)


def open_cassette(root: Path, wanted: str) -> tuple[Cassette, str | None]:
    """The cassette, and the segment's id if `wanted` names one as `<cassette>/<beginning of the root span id>`.

    Raises CassetteNotFound, CassetteAmbiguous, DamagedCassette, UnsupportedVersion.
    """
    with _collector_paused():
        if (cassette := _open(root, wanted)) is not None:
            return cassette, None
        name = _SEGMENT_NAME.fullmatch(wanted)
        if name is not None and (cassette := _open(root, name[1])) is not None:
            return cassette, _segment(cassette, wanted, name[2].lower()).id
    if os.path.isdir(wanted):
        raise DamagedCassette(wanted, "the folder holds no part of a trace")
    raise CassetteNotFound(wanted, _described(root))


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A large cassette is a million objects in no cycle: Python would look through them again and again, a third of the
    time that it takes to open one."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _open(root: Path, wanted: str) -> Cassette | None:
    if os.path.isfile(wanted):
        return read_file(Path(wanted))
    if os.path.isdir(wanted) and part_files(Path(wanted)):
        return read_folder(Path(wanted))
    folder = _trace_folder(root, wanted.lower(), wanted)
    return None if folder is None else read_folder(folder)


def _trace_folder(root: Path, prefix: str, wanted: str) -> Path | None:
    if _TRACE_PREFIX.fullmatch(prefix) is None:
        return None
    # A folder without a part is a trace whose writer was killed before it wrote anything.
    if len(prefix) == 32:  # the whole id: a large store is not searched
        return root / prefix if part_files(root / prefix) else None
    found = [folder for folder in trace_folders(root) if folder.name.startswith(prefix) and part_files(folder)]
    if len(found) > 1:
        raise CassetteAmbiguous(wanted, "trace", tuple(folder.name for folder in found))
    return found[0] if found else None


def _segment(cassette: Cassette, wanted: str, prefix: str) -> Segment:
    found = [segment for segment in cassette.segments if segment.id.startswith(prefix)]
    if len(found) > 1:
        raise CassetteAmbiguous(wanted, "segment", tuple(_name(segment) for segment in found))
    if not found:
        names = ", ".join(_name(segment) for segment in cassette.segments)
        raise CassetteNotFound(wanted, f"{cassette.path}, which has the segments {names}")
    return found[0]


def _name(segment: Segment) -> str:
    return f"{segment.trace_id[:8]}/{segment.id}"


def _described(root: Path) -> str:
    if not root.exists():
        return f"{root} (there is no such folder)"
    if not root.is_dir():
        return f"{root} (which is a file, not a store)"
    return str(root) if trace_folders(root) else f"{root} (an empty store)"
