"""`timetracer-otel fmt`"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from timetracer_otel.cassette import Cassette, as_json, compress, decompress, load
from timetracer_otel.cassette.escaping import safe
from timetracer_otel.cassette.losses import first_loss
from timetracer_otel.cli import settings
from timetracer_otel.cli.forms import in_readable_form
from timetracer_otel.errors import UsageError
from timetracer_otel.store import dump_bundle, write_atomically
from timetracer_otel.store.reading import read


@dataclass(frozen=True, slots=True)
class Change:
    """What a file is to hold; None as `mode` for that of a new file."""

    path: Path
    before: bytes | None
    after: bytes
    mode: int | None = None


def print_fmt(store: str | None, wanted: str, output: str | None, check: bool, raw: bool) -> int:
    """Prints the path of a file that it changed. Raises UsageError, CassetteError, OSError: then nothing is changed."""
    change = _in_place(wanted, raw) if output is None else _to_output(store, wanted, output, raw)
    if change.before == change.after:
        return 0
    if check:
        print(f"{safe(str(change.path))}: `timetracer-otel fmt` would change it", file=sys.stderr)
        return 1
    write_atomically(change.path, change.after, durable=True, mode=change.mode)
    print(safe(str(change.path)))
    return 0


def _in_place(wanted: str, raw: bool) -> Change:
    path = Path(os.path.realpath(settings.not_empty("CASSETTE", wanted)))  # a link stays one
    if not path.exists() and (os.sep in wanted or wanted.endswith((".json", ".zst"))):
        raise UsageError(wanted, "there is no such file", "check the path")
    if not path.is_file():
        raise UsageError(wanted, "only a file is rewritten in place", "name the bundle to write with --output")
    before = read(path)
    cassette = load(before, str(path))
    if not isinstance(cassette, Cassette):
        raise UsageError(wanted, "a file of a store is never changed", "name the bundle to write with --output")
    text = decompress(before)
    if (loss := first_loss(text, as_json(cassette))) is not None:
        raise UsageError(wanted, f"it would lose {loss[:100]}", "take it out, or upgrade timetracer-otel if it is new")
    after = _formatted(cassette, None, raw)
    is_packed = text is not before
    unchanged = before if text == after else None
    return Change(
        path, before, unchanged or (compress(after) if is_packed else after), stat.S_IMODE(path.stat().st_mode)
    )


def _to_output(store: str | None, wanted: str, output: str, raw: bool) -> Change:
    cassette, segment_id = settings.open_cassette(store, wanted)
    path = Path(os.path.realpath(settings.not_empty("--output", output)))
    if not path.exists():
        return Change(path, None, _formatted(cassette, segment_id, raw))
    if not path.is_file():
        raise UsageError("--output", f"{output} is no regular file", "name another")
    return Change(path, path.read_bytes(), _formatted(cassette, segment_id, raw), stat.S_IMODE(path.stat().st_mode))


def _formatted(cassette: Cassette, segment_id: str | None, raw: bool) -> bytes:
    return dump_bundle(cassette if raw else in_readable_form(cassette), segment_id)
