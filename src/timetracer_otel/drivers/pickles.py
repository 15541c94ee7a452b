"""What stands in a pickle, as text: nothing is unpickled, its instructions are written down."""

from __future__ import annotations

import datetime
from typing import Any, Final

BEGIN: Final = b"\x80"
END: Final = b"."
FRAMES: Final = frozenset({"PROTO", "FRAME"})
"""Instructions that say nothing of what is pickled."""
DATETIME_BYTES: Final = 10


def text_in(data: bytes) -> str | None:
    """One line for each instruction, from protocol 2 on; None of what is no whole pickle.

    Instants and ids are found there that are bytes in a pickle: when a job was put into a queue, or a value in a cache.
    Source: pickletools.
    """
    if not (data.startswith(BEGIN) and data.endswith(END)):
        return None
    import pickletools  # which recording does without

    lines, last = [], -1
    try:
        for instruction, argument, position in pickletools.genops(data):
            last = position if position is not None else last
            if instruction.name not in FRAMES:
                lines.append(f"{instruction.name} {_spelled(argument)}")
    except (ValueError, IndexError, OverflowError):  # damaged, or something else that begins and ends so
        return None
    return "\n".join(lines) if last == len(data) - 1 else None


def _spelled(argument: Any) -> str:
    """Any: bytes, text or a number. A date with a time is pickled as ten bytes."""
    if isinstance(argument, bytes) and len(argument) == DATETIME_BYTES:
        try:
            return _moment(argument).isoformat(timespec="microseconds")
        except ValueError:
            return repr(argument)
    return repr(argument)


def _moment(data: bytes) -> datetime.datetime:
    """Raises ValueError. Source: `datetime.__reduce_ex__`."""
    high, low, month, day, hour, minute, second = data[:7]
    return datetime.datetime(high * 256 + low, month, day, hour, minute, second, int.from_bytes(data[7:], "big"))
