"""What the processes of a replay listen on, as Linux tells it; where there is no /proc, nothing is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

PROC: Final = "/proc"
LISTENING: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
"""Table -> the state of a socket that others may send to."""


class Tree:
    """The process that a replay began with, and all that it started."""

    def __init__(self, root: int) -> None:
        self._root = root

    def has_port(self, port: int) -> bool:
        """True when one of them listens on this TCP port, or receives on this UDP port."""
        return self._hold({inode for table in LISTENING for inode in _with_port(table, port)})

    def is_open(self, port: int) -> bool:
        """True when anybody in this network listens on the TCP port; where nobody tells, it may be so."""
        tables = ("tcp", "tcp6")
        return any(inode for table in tables for inode in _with_port(table, port)) or not any(map(_is_there, tables))

    def has_name(self, name: str) -> bool:
        """True when one of them has bound this abstract unix socket (`\\0name`)."""
        return self._hold(set(_with_name(name.replace("\0", "@"))))

    def _hold(self, inodes: set[str]) -> bool:
        return bool(inodes) and any(inodes & set(_sockets_of(process)) for process in self._processes())

    def _processes(self) -> Iterator[int]:
        children = _children()
        waiting = [self._root]
        while waiting:
            yield (process := waiting.pop())
            waiting.extend(children.pop(process, ()))


def _with_port(table: str, port: int) -> Iterator[str]:
    for fields in _rows(table):
        if fields[3] == LISTENING[table] and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _with_name(name: str) -> Iterator[str]:
    for fields in _rows("unix"):
        if len(fields) == 8 and fields[7] == name:
            yield fields[6]


def _rows(table: str) -> list[list[str]]:
    try:
        with open(f"{PROC}/self/net/{table}", encoding="utf-8", errors="replace") as file:
            return [line.split() for line in file][1:]
    except OSError:
        return []


def _is_there(table: str) -> bool:
    return os.path.exists(f"{PROC}/self/net/{table}")


def _sockets_of(process: int) -> Iterator[str]:
    """Inodes."""
    try:
        descriptors = os.listdir(f"{PROC}/{process}/fd")
    except OSError:  # it has ended
        return
    for descriptor in descriptors:
        try:
            kind, _, inode = os.readlink(f"{PROC}/{process}/fd/{descriptor}").partition(":")
        except OSError:
            continue
        if kind == "socket":
            yield inode.strip("[]")


def _children() -> dict[int, list[int]]:
    """Process -> those that it started and that still run."""
    found: dict[int, list[int]] = {}
    for name in filter(str.isdecimal, _names(PROC)):
        try:
            with open(f"{PROC}/{name}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        found.setdefault(parent, []).append(int(name))
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
