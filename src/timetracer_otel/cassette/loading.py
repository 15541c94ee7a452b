"""Files -> model. Any bytes give a value or a CassetteError that names the file; nothing in a file is ever a path."""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

from timetracer_otel.cassette import values
from timetracer_otel.cassette.allowance import Allowance
from timetracer_otel.cassette.blobs import Get, with_payloads
from timetracer_otel.cassette.compression import decompress
from timetracer_otel.cassette.fields import Fields
from timetracer_otel.cassette.migrations import check_version, upgrade
from timetracer_otel.cassette.model import Blob, Cassette, Environment, Process, Segment, Value
from timetracer_otel.cassette.parsing import parsed
from timetracer_otel.cassette.part import EnvironmentPart, Part
from timetracer_otel.cassette.read import (
    PROCESS_ID_DIGITS,
    SPAN_ID_DIGITS,
    TRACE_ID_DIGITS,
    read_acquire,
    read_connection,
    read_entry,
    read_exchange,
    read_generated,
    read_process,
    read_span,
)
from timetracer_otel.cassette.values import Json
from timetracer_otel.errors import DamagedCassette

Loaded: TypeAlias = "Part | EnvironmentPart | Cassette"
T = TypeVar("T")

LONG: Final = ("exchanges", "spans")
"""The lists of a part that grow with the trace."""


def load(data: bytes, path: str, blobs: Get | None = None, allowance: Allowance | None = None) -> Loaded:
    """A part, an environment's part or a bundle, whichever the file is. Raises DamagedCassette, UnsupportedVersion.

    `blobs` gives what lies beside the file. Without it a Blob stays one, and a payload that lies beside reads as `{}`.
    `allowance` is for all files of one cassette together.
    """
    try:
        return _read(_fields(data, path, blobs, allowance or Allowance()), path)
    except (ValueError, RecursionError) as error:
        raise DamagedCassette(path, " ".join(str(error).split())) from None
    except MemoryError:
        raise DamagedCassette(path, "there is not enough memory to read it") from None


def load_part(data: bytes, path: str, blobs: Get | None = None, allowance: Allowance | None = None) -> Part:
    """Raises DamagedCassette, also if the file is another kind of cassette file; UnsupportedVersion."""
    return _only(Part, load(data, path, blobs, allowance), path)


def load_environment(
    data: bytes, path: str, blobs: Get | None = None, allowance: Allowance | None = None
) -> EnvironmentPart:
    """Raises DamagedCassette, also if the file is another kind of cassette file; UnsupportedVersion."""
    return _only(EnvironmentPart, load(data, path, blobs, allowance), path)


def load_bundle(data: bytes, path: str) -> Cassette:
    """Raises DamagedCassette, also if the file is another kind of cassette file; UnsupportedVersion."""
    return _only(Cassette, load(data, path), path)


def _fields(data: bytes, path: str, blobs: Get | None, allowance: Allowance) -> Fields:
    text = decompress(data)
    allowance.take(text)
    try:
        document = parsed(text)
    except ValueError as error:
        raise ValueError(f"{'neither JSON nor zstd' if text is data else 'not JSON'} ({error})") from None
    if not isinstance(document, dict):
        raise ValueError("JSON, but not an object")
    del text  # a large one is in memory twice now, and soon three times
    check_version(document, path)
    if "segments" in document:
        return Fields(values.decode(upgrade(document), values.DOCUMENT_DEPTH, _refuse))
    # Before it is upgraded: a step is to see payloads whole, wherever they lay.
    whole = with_payloads(document, lambda blob: {} if blobs is None else _payload(blobs(blob), allowance))
    del document
    return Fields(_decoded(upgrade(whole), blobs or values.as_it_is))


def _decoded(document: dict[str, Json], resolve: values.Resolve) -> Value:
    """As `values.decode` gives it. A long list is decoded in place: what an item was made of goes before the next."""
    lists = {name: document[name] for name in LONG if type(document.get(name)) is list}
    rest = values.decode({**document, **dict.fromkeys(lists)}, values.DOCUMENT_DEPTH, resolve)
    if not isinstance(rest, dict):
        return rest
    document.clear()
    for items in lists.values():
        for index, item in enumerate(items):
            items[index] = values.decode(item, values.DOCUMENT_DEPTH - 2, resolve)
    return {**rest, **lists}


def _payload(text: bytes, allowance: Allowance) -> Json:
    """What a blob holds that stands for a whole payload. What is wrong in it is said of the file that names it."""
    allowance.take(text)
    try:
        return parsed(text)
    except ValueError as error:
        raise ValueError(f"a payload that lies beside it is not JSON ({error})") from None


def _refuse(blob: Blob) -> Value:
    raise ValueError(f"a bundle holds all that it needs, and this one names the blob {blob.sha256[:16]}…")


def _read(fields: Fields, path: str) -> Loaded:
    if "segments" in fields:
        return _cassette(fields, path)
    return _part(fields) if "segment" in fields else _environment_part(fields)


_NAMES: Final[dict[type, str]] = {
    Part: "a part of a trace",
    EnvironmentPart: "the environment of a process",
    Cassette: "a bundle",
}


def _only(kind: type[T], loaded: Loaded, path: str) -> T:
    if not isinstance(loaded, kind):
        raise DamagedCassette(path, f"it is {_NAMES[type(loaded)]}, not {_NAMES[kind]}")
    return loaded


def _part(fields: Fields) -> Part:
    return Part(
        trace_id=fields.hex("trace_id", TRACE_ID_DIGITS),
        segment=fields.hex("segment", SPAN_ID_DIGITS),
        process=read_process(fields.object("process")),
        part=fields.integer("part"),
        complete=fields.flag("complete"),
        spans=fields.objects("spans", read_span),
        exchanges=fields.objects("exchanges", read_exchange),
        entry=read_entry(fields),
        parent_segment=fields.optional_hex("parent_segment", SPAN_ID_DIGITS),
        resource=fields.payload("resource"),
        resource_schema_url=fields.text("resource_schema_url", ""),
        connections=fields.objects("connections", read_connection),
        generated=fields.objects("generated", read_generated),
        pools=fields.objects("pools", read_acquire),
        dropped=fields.counts("dropped"),
    )


def _environment_part(fields: Fields) -> EnvironmentPart:
    return EnvironmentPart(
        process=read_process(fields.object("process")),
        part=fields.integer("part"),
        exchanges=fields.objects("exchanges", read_exchange),
        connections=fields.objects("connections", read_connection),
        dropped=fields.counts("dropped"),
    )


def _cassette(fields: Fields, path: str) -> Cassette:
    trace_id = fields.hex("trace_id", TRACE_ID_DIGITS)
    processes = {process.id: process for process in fields.objects("processes", read_process)}
    environments = fields.objects("environments", lambda item: _environment(item, processes))
    return Cassette(
        trace_id=trace_id,
        segments=fields.objects("segments", lambda item: _segment(item, trace_id, processes)),
        environments={environment.process.id: environment for environment in environments},
        path=path,
    )


def _segment(fields: Fields, trace_id: str, processes: dict[str, Process]) -> Segment:
    return Segment(
        trace_id=trace_id,
        id=fields.hex("segment", SPAN_ID_DIGITS),
        process=_known_process(fields, processes),
        complete=fields.flag("complete"),
        spans=fields.objects("spans", read_span),
        exchanges=fields.objects("exchanges", read_exchange),
        entry=read_entry(fields),
        parent_segment=fields.optional_hex("parent_segment", SPAN_ID_DIGITS),
        resource=fields.payload("resource"),
        resource_schema_url=fields.text("resource_schema_url", ""),
        connections=fields.objects("connections", read_connection),
        generated=fields.objects("generated", read_generated),
        pools=fields.objects("pools", read_acquire),
        dropped=fields.counts("dropped"),
        parts=fields.integers("parts"),
    )


def _environment(fields: Fields, processes: dict[str, Process]) -> Environment:
    return Environment(
        process=_known_process(fields, processes),
        exchanges=fields.objects("exchanges", read_exchange),
        connections=fields.objects("connections", read_connection),
        dropped=fields.counts("dropped"),
    )


def _known_process(fields: Fields, processes: dict[str, Process]) -> Process:
    process_id = fields.hex("process", PROCESS_ID_DIGITS)
    if process_id not in processes:
        raise ValueError(f"process {process_id} is not among the processes")
    return processes[process_id]
