"""One self-contained file of a cassette, to mail or to commit as a test: plain JSON that people read and git diffs."""

from __future__ import annotations

import errno
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette, as_json, service_of
from timetracer_otel.cassette.escaping import visible_json
from timetracer_otel.cassette.values import Json
from timetracer_otel.store.atomic import write_atomically

MAX_NAME_CHARS: Final = 100

DELETE: Final = b"\x7f"
"""The one control that JSON writes as it is."""
_SUFFIX: Final = ".cassette.json"
_LINE_CHARS: Final = 100
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")


def dump_bundle(cassette: Cassette, segment_id: str | None = None) -> bytes:
    """The whole cassette, or one segment of it with its environment. Give it the readable form, for readers."""
    import orjson

    chosen = cassette if segment_id is None else _only(cassette, segment_id)
    text = orjson.dumps(_laid_out(as_json(chosen)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    # A bundle is reviewed: what a stranger sent must not turn the lines around, nor drive the terminal that shows them.
    return text if text.isascii() and DELETE not in text else visible_json(text.decode()).encode()


def bundle_name(cassette: Cassette, segment_id: str | None = None) -> str:
    """`shop-get-orders-id-500-7f3a91c2.cassette.json`: of [a-z0-9-] before the suffix, at most 100 characters.

    Of one segment of several it ends in the segment as well: they may all have the same entry.
    """
    chosen = cassette if segment_id is None else _only(cassette, segment_id)
    entry = next((segment.entry for segment in chosen.segments if segment.entry is not None), None)
    begin = [service_of(chosen) or (entry.type if entry else ""), entry.name if entry else ""]
    outcome = _words(entry.outcome.partition(" ")[0], limit=20) if entry else ""
    segment = f"-{segment_id[:8]}" if segment_id is not None and len(cassette.segments) > 1 else ""
    end = f"-{outcome}" * bool(outcome) + f"-{cassette.trace_id[:8]}{segment}{_SUFFIX}"
    return (_words(*begin, limit=MAX_NAME_CHARS - len(end)) or "trace") + end


def save_bundle(cassette: Cassette, target: Path, segment_id: str | None = None) -> Path:
    """The path of the written bundle: `target`, or in it under `bundle_name` if it is a folder. Raises OSError."""
    path = target / bundle_name(cassette, segment_id) if target.is_dir() else target
    return write_bundle(cassette, path, segment_id)


def write_bundle(cassette: Cassette, path: Path, segment_id: str | None = None) -> Path:
    """`path`, and nothing else, is the bundle from now on. Raises OSError, also where a folder stands there."""
    if path.exists() and not path.is_file():  # a device, a pipe: writing replaces the file, and they would be gone
        raise FileExistsError(errno.EEXIST, "it is no regular file, and stays as it is; name another", str(path))
    write_atomically(path, dump_bundle(cassette, segment_id), durable=True)
    return path


def _only(cassette: Cassette, segment_id: str) -> Cassette:
    segments = tuple(segment for segment in cassette.segments if segment.id == segment_id)
    environments = [environment for segment in segments for environment in cassette.environment_of(segment)]
    by_process = {environment.process.id: environment for environment in environments}
    return replace(cassette, segments=segments, environments=dict(sorted(by_process.items())))


def _words(*texts: str, limit: int) -> str:
    plain = unicodedata.normalize("NFKD", " ".join(texts)).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("-", plain.lower()).strip("-")[:limit].rstrip("-")


def _laid_out(json: Json) -> Json:
    """What fits into a line stands in one line: a row of a result, a header, a span's event."""
    import orjson

    if not isinstance(json, (dict, list)):
        return json
    if len(line := orjson.dumps(json)) <= _LINE_CHARS:
        return orjson.Fragment(line)
    if isinstance(json, dict):
        return {key: _laid_out(value) for key, value in json.items()}
    return [_laid_out(value) for value in json]
