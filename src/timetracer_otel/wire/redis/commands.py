"""What a client sends: one command, or several in one batch, each an array of bulk strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from timetracer_otel.errors import WireError
from timetracer_otel.wire.redis.frames import END, head_of, split

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


class Leading:
    """The commands of a whole batch, each cut when it is come to: of a long one only the first are looked at.

    Going through it raises WireError.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __iter__(self) -> Iterator[list[bytes]]:
        at = 0
        while at < len(self._data):
            command, at = _items(self._data, at)
            yield command


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
        if behind > last or lines[at + 1 : behind : 2] != list(map(head_of, map(len, arguments))):
            return None
        found.append(arguments)
        at = behind
    return found if not lines[last] else None


def items(frame: bytes) -> list[bytes]:
    """The bulk strings of one flat array or push; `text` of what is no bulk string. Raises WireError."""
    return _items(frame, 0)[0]


def _items(data: bytes, at: int) -> tuple[list[bytes], int]:
    """`items` of the frame that begins there, and where the next one does."""
    if data[at : at + 1] not in (b"*", b">"):
        raise WireError(f"RESP request: {data[at : at + 1]!r} is no array")
    end = data.find(END, at)
    found, behind = [], end + len(END)
    for _ in range(max(int(data[at + 1 : end]), 0)):
        item, behind = _item(data, behind)
        found.append(item)
    return found, behind


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
