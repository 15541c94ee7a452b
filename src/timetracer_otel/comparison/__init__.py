"""Two recorded traces, what differs between them and what differs between any two. Pure: no file, no terminal.

It stands above `replay`, whose rules it uses: which requests are the same, and which differences prove nothing.
"""

from __future__ import annotations

from timetracer_otel.comparison.model import Diff, Differs, Ignored, Item, Only, SegmentDiff, Two
from timetracer_otel.comparison.segments import compare, name_of
from timetracer_otel.drivers.base import ABSENT

__all__ = ["ABSENT", "Diff", "Differs", "Ignored", "Item", "Only", "SegmentDiff", "Two", "compare", "name_of"]
