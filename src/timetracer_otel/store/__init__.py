"""Cassettes on disk: written whole, found by name, listed, bundled.

An application that records needs the writing side alone; the rest loads when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from timetracer_otel.lazy import names_of
from timetracer_otel.store.folder import Store

if TYPE_CHECKING:
    from timetracer_otel.store.atomic import write_atomically
    from timetracer_otel.store.bundle import bundle_name, dump_bundle, save_bundle, write_bundle
    from timetracer_otel.store.listing import Listing, SegmentSummary, TraceSummary, summary_of

__all__ = [
    "Listing",
    "SegmentSummary",
    "Store",
    "TraceSummary",
    "bundle_name",
    "dump_bundle",
    "save_bundle",
    "summary_of",
    "write_atomically",
    "write_bundle",
]

_HOMES: Final = {
    "Listing": "listing",
    "SegmentSummary": "listing",
    "TraceSummary": "listing",
    "bundle_name": "bundle",
    "dump_bundle": "bundle",
    "save_bundle": "bundle",
    "summary_of": "listing",
    "write_atomically": "atomic",
    "write_bundle": "bundle",
}

__getattr__ = names_of(__name__, _HOMES)
