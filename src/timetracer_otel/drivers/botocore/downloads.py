"""What the application reads of a response: the copy that is made of it meanwhile. Nothing is read that it does not.

The raw response keeps its identity, and its type but for a subclass of ours that takes note: `isinstance`, methods, the
connection's way back to the pool and garbage collection stay as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.config import KIB
from timetracer_otel.drivers.botocore.names import LIBRARY

CHARGED_BYTES: Final = 256 * KIB
"""So much may have been read beyond what the tape has been told of."""


class Heard:
    """What was read so far of one response's body."""

    __slots__ = ("_charged", "_length", "_max_bytes", "_progress", "broken", "chunks", "is_ended", "is_lost", "size")

    def __init__(self, length: int | None, max_bytes: int, progress: Callable[[Heard], None]) -> None:
        """`length`: Content-Length. `progress` is called when the tape should hear of it."""
        self._length, self._max_bytes, self._progress = length, max_bytes, progress
        self.chunks: list[bytes] = []
        self.size = self._charged = 0
        self.is_ended = False
        """Read to its end."""
        self.is_lost = False
        """More than may be kept."""
        self.broken: BaseException | None = None
        """What the reading failed with."""

    def take(self, data: Any, is_last: bool) -> None:
        if self.is_ended:
            return
        if data and not self.is_lost:
            self.chunks.append(bytes(data))
        self.size += len(data)
        if self.size > self._max_bytes:
            self.lose()
        self.is_ended = is_last or (self._length is not None and self.size >= self._length)
        if self.is_ended or self.size - self._charged > CHARGED_BYTES:
            self._charged = self.size
            self._progress(self)

    def fail(self, error: BaseException) -> None:
        self.broken = error
        self._progress(self)

    def lose(self) -> None:
        self.is_lost = True
        self.chunks.clear()


# ---- urllib3 ---------------------------------------------------------------------------------------------------------


class _Tapped:
    """Mixed into the class of a raw response. `_timetracer` is its `Heard`."""

    __slots__ = ()
    _timetracer: Heard

    def read(self, *args: Any, **kwargs: Any) -> Any:
        try:
            data = super().read(*args, **kwargs)  # type: ignore[misc]  # of the class that it is mixed into
        except Exception as error:
            _failed(self._timetracer, error)
            raise
        _read(self._timetracer, data, args[0] if args else kwargs.get("amt"))
        return data

    def read_chunked(self, *args: Any, **kwargs: Any) -> Any:
        try:
            for data in super().read_chunked(*args, **kwargs):  # type: ignore[misc]  # as above
                _read(self._timetracer, data, -1)
                yield data
        except Exception as error:
            _failed(self._timetracer, error)
            raise
        _read(self._timetracer, b"", -1)


class _TappedOfTwo(_Tapped):
    """urllib3 has `read1` since 2.0; where it is missing, it must not seem to be there."""

    __slots__ = ()

    def read1(self, *args: Any, **kwargs: Any) -> Any:
        data = super().read1(*args, **kwargs)  # type: ignore[misc]  # as above
        _read(self._timetracer, data, args[0] if args else kwargs.get("amt", -1))
        return data


def tap(raw: Any, heard: Heard) -> None:
    """From now on `heard` hears what is read of `raw`, a response of urllib3."""
    raw._timetracer = heard
    raw.__class__ = tapped(raw.__class__, _TappedOfTwo if hasattr(raw, "read1") else _Tapped)


@functools.lru_cache(maxsize=16)
def tapped(kind: Any, ears: Any) -> Any:
    """The class with `ears` mixed in, under its own name. Any: it is made while the program runs."""
    return type(kind.__name__, (ears, kind), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})


@guarded(LIBRARY)
def _read(heard: Heard, data: Any, wanted: int | None) -> None:
    """`wanted` None: all was asked for. Nothing came although something was asked for: that is the end."""
    heard.take(data, is_last=wanted is None or (not data and wanted != 0))


@guarded(LIBRARY)
def _failed(heard: Heard, error: BaseException) -> None:
    heard.fail(error)
