"""The cassette: model, schema, merging. Pure: bytes and values in, bytes and values out; no file is opened here.

An application that records starts with the model alone; the rest loads when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from timetracer_otel.cassette.model import (
    FORMAT,
    Acquire,
    Blob,
    Cassette,
    Connection,
    Entry,
    Environment,
    Exchange,
    Generated,
    Payload,
    Process,
    Segment,
    Signature,
    Span,
    SpanEvent,
    SpanLink,
    Value,
)
from timetracer_otel.lazy import names_of

if TYPE_CHECKING:
    from timetracer_otel.cassette.compression import compress, decompress
    from timetracer_otel.cassette.dump import (
        dump_environment,
        dump_exchange,
        dump_part,
        dump_plain_spans,
        dump_process,
        dump_resource,
        dump_spans,
        part_pieces,
        plain_span,
    )
    from timetracer_otel.cassette.forms import Readable, as_json, readable, service_of
    from timetracer_otel.cassette.loading import Loaded, load, load_bundle, load_environment, load_part
    from timetracer_otel.cassette.merging import end_ns, merge, start_ns
    from timetracer_otel.cassette.part import EnvironmentPart, Part
    from timetracer_otel.cassette.sampling import NOT_SAMPLED, partly_sampled

__all__ = [
    "FORMAT",
    "NOT_SAMPLED",
    "Acquire",
    "Blob",
    "Cassette",
    "Connection",
    "Entry",
    "Environment",
    "EnvironmentPart",
    "Exchange",
    "Generated",
    "Loaded",
    "Part",
    "Payload",
    "Process",
    "Readable",
    "Segment",
    "Signature",
    "Span",
    "SpanEvent",
    "SpanLink",
    "Value",
    "as_json",
    "compress",
    "decompress",
    "dump_environment",
    "dump_exchange",
    "dump_part",
    "dump_plain_spans",
    "dump_process",
    "dump_resource",
    "dump_spans",
    "end_ns",
    "load",
    "load_bundle",
    "load_environment",
    "load_part",
    "merge",
    "part_pieces",
    "partly_sampled",
    "plain_span",
    "readable",
    "service_of",
    "start_ns",
]

_HOMES: Final = {
    "EnvironmentPart": "part",
    "NOT_SAMPLED": "sampling",
    "Loaded": "loading",
    "Part": "part",
    "Readable": "forms",
    "as_json": "forms",
    "compress": "compression",
    "decompress": "compression",
    "dump_environment": "dump",
    "dump_exchange": "dump",
    "dump_part": "dump",
    "dump_plain_spans": "dump",
    "dump_process": "dump",
    "dump_resource": "dump",
    "dump_spans": "dump",
    "end_ns": "merging",
    "load": "loading",
    "load_bundle": "loading",
    "load_environment": "loading",
    "load_part": "loading",
    "merge": "merging",
    "part_pieces": "dump",
    "plain_span": "dump",
    "partly_sampled": "sampling",
    "readable": "forms",
    "service_of": "forms",
    "start_ns": "merging",
}

__getattr__ = names_of(__name__, _HOMES)
