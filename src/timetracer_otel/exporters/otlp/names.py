"""Attributes of ours on OTLP spans, and the sizes that every backend takes."""

from __future__ import annotations

from typing import Final

from timetracer_otel.config import KIB, MIB

PREFIX: Final = "timetracer."
VERSION: Final = 1

# ---- short values, by which a backend finds spans --------------------------------------------------------------------

SCHEMA: Final = "timetracer.schema"
KIND: Final = "timetracer.kind"
"""Of a span that we made: one of the four below. A recorded span has none."""
SEGMENT: Final = "timetracer.segment"
PROCESS: Final = "timetracer.process"
RECORDED: Final = "timetracer.recorded"
ENTRY: Final = "timetracer.entry"
OUTCOME: Final = "timetracer.outcome"

EXCHANGE_SPAN: Final = "exchange"
ENVIRONMENT_SPAN: Final = "environment"
PAYLOAD_SPAN: Final = "payload"
HEAD_SPAN: Final = "head"

# ---- records: JSON documents -----------------------------------------------------------------------------------------

HEAD: Final = "timetracer.head"
RESIDUE: Final = "timetracer.otlp.residue"
EXCHANGE: Final = "timetracer.exchange"
REQUEST: Final = "timetracer.request"
RESULT: Final = "timetracer.result"
PAYLOADS: Final = (REQUEST, RESULT)

SIZE: Final = ".size"
SHA256: Final = ".sha256"
PARTS: Final = ".parts"
PART: Final = ".part."
PREVIEW: Final = ".preview"
REF: Final = ".ref"
REF_SCHEME: Final = "sha256:"
"""A reference is the name of a blob, never a place: nobody's trace makes us open a file of its choice."""

# ---- limits ----------------------------------------------------------------------------------------------------------

INLINE_MAX_BYTES: Final = 48 * KIB
"""Of one attribute value. Badger makes each a part of a key, which holds 65,000 bytes; above it the span is lost."""
PREVIEW_MAX_BYTES: Final = 2 * KIB
PARTS_HERE_MAX: Final = 6
"""Parts of one record that its span holds itself; the others are on spans of ours below it."""
PARTS_BELOW_MAX: Final = 32
REF_MIN_BYTES: Final = MIB
"""A payload above it becomes a blob, where there is a folder for blobs."""
REQUEST_MAX_BYTES: Final = 3 * MIB
"""Of one OTLP request: an OTLP receiver refuses 4 MiB by gRPC, which a Collector behind the first may speak."""
