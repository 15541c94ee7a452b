"""What clients ask for themselves: where keys live, who the primary is, whether anybody is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

HOUSEWORK: Final = "housework"
"""`op` of a recorded request of this kind: nobody need ask for it."""
DISCOVERY: Final = frozenset({b"CLUSTER", b"COMMAND", b"SENTINEL", b"ROLE"})
"""Answered from the recording as often as it is asked for: a pool that was warm then may be cold in replay."""
OK, PONG = b"+OK\r\n", b"+PONG\r\n"
SYNTHESISED: Final = {
    b"PING": PONG,
    b"CLIENT": OK,
    b"READONLY": OK,
    b"READWRITE": OK,
    b"ASKING": OK,
    b"SELECT": OK,
    b"UNWATCH": OK,
    b"QUIT": OK,
    b"AUTH": OK,
    b"RESET": b"+RESET\r\n",
}
"""Where nothing is recorded, or nothing is left of it."""
INFORMING: Final = {b"CLIENT": (b"ID", b"INFO", b"LIST", b"GETNAME", b"KILL")}
"""Subcommands whose answer says something, and is not made up."""


def is_housework(command: Sequence[bytes]) -> bool:
    """True if the client may ask more or less often in replay."""
    name = command[0].upper() if command else b""
    return name in DISCOVERY or (name in SYNTHESISED and not _informs(command))


def synthesised(command: Sequence[bytes]) -> bytes | None:
    """The answer to what clients send by themselves; None to anything else."""
    if not command or _informs(command):
        return None
    return SYNTHESISED.get(command[0].upper())


def _informs(command: Sequence[bytes]) -> bool:
    asked = INFORMING.get(command[0].upper(), ())
    return len(command) > 1 and command[1].upper() in asked
