"""What a client sends: one command, or several in one batch, each an array of bulk strings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.frames import END, split

Command = Sequence[bytes]
"""Name and arguments."""


def commands(data: bytes) -> list[list[bytes]]:
    """The commands of a whole batch. Raises WireError."""
    found = _of_lines(data)
    if found is not None:
        return found
    frames, rest = split(data)
    if rest:
        raise WireError("RESP request: its last command is not whole")
    return [items(frame) for frame in frames]


def _of_lines(data: bytes) -> list[list[bytes]] | None:
    """A batch in which no argument holds the end of a line, which most are: cut at all of them at once. None if it is
    none of these."""
    lines = data.split(END)
    found, at, last = [], 0, len(lines) - 1
    while at < last:
        head = lines[at]
        if head[:1] != b"*" or not head[1:].isdigit() or len(head) > 9:
            return None
        behind = at + 1 + 2 * int(head[1:])
        arguments = lines[at + 2 : behind : 2]
        if behind > last or lines[at + 1 : behind : 2] != [b"$%d" % len(each) for each in arguments]:
            return None
        found.append(arguments)
        at = behind
    return found if not lines[last] else None


def items(frame: bytes) -> list[bytes]:
    """The bulk strings of one flat array or push; `text` of what is no bulk string. Raises WireError."""
    if frame[:1] not in (b"*", b">"):
        raise WireError(f"RESP request: {frame[:1]!r} is no array")
    end = frame.find(END)
    found, at = [], end + len(END)
    for _ in range(max(int(frame[1:end]), 0)):
        item, at = _item(frame, at)
        found.append(item)
    return found


def _item(frame: bytes, at: int) -> tuple[bytes, int]:
    end = frame.find(END, at)
    if end < 0:
        raise WireError("RESP array: shorter than it says")
    kind, head, behind = frame[at : at + 1], frame[at + 1 : end], end + len(END)
    if kind == b"$" and head != b"-1":
        size = int(head)
        return frame[behind : behind + size], behind + size + len(END)
    if kind in (b"*", b"%", b"~", b">", b"|"):
        raise WireError("RESP array: nested where it should be flat")
    return (b"" if head == b"-1" and kind == b"$" else head), behind


def pack(batch: Iterable[Command]) -> bytes:
    """The bytes of a batch."""
    return b"".join(_packed(command) for command in batch)


def _packed(command: Command) -> bytes:
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in command)
