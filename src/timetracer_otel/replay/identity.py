"""Ids in replay: recorded uuid4 values are given back per call site; trace and span ids are new, yet `random` is drawn
from just as the recorded process drew from it."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from timetracer_otel.capture import generated
from timetracer_otel.cassette.model import Generated

_private: Final = random.SystemRandom()


class RecordedIds:
    """The uuid4 values of one segment, by call site and number of the call."""

    def __init__(self, recorded: Iterable[Generated], made: Callable[[uuid.UUID], None]) -> None:
        """`made` hears of each id that has no recorded counterpart."""
        self._values = {(each.site, each.index): each.value for each in recorded if each.kind == "uuid4"}
        self._calls: Counter[str] = Counter()
        self._lock, self._made = threading.Lock(), made

    def next(self, site: str) -> uuid.UUID:
        """The recorded id of this call, else a new one."""
        with self._lock:
            index = self._calls[site]
            self._calls[site] += 1
        recorded = self._values.get((site, index))
        if recorded is not None:
            return uuid.UUID(recorded)
        value = generated.new()
        self._made(value)
        return value


class ReplayIdGenerator(RandomIdGenerator):
    """Ids from the system's entropy, so that a replay never repeats a recorded one; and for each a draw from `random`,
    as the recorded generator made it, so that an app that seeds `random` sees the same numbers."""

    def __init__(self, entry_drew_trace_id: bool) -> None:
        """False: the recorded entry took its trace id from a caller and drew none."""
        self._draws_trace_id = entry_drew_trace_id
        self.is_entry = False
        """True from the moment at which the entry begins."""

    def generate_span_id(self) -> int:
        super().generate_span_id()
        return _private.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        if self._draws_trace_id or not self.is_entry:
            super().generate_trace_id()
        return _private.getrandbits(128) or 1
