"""The step between runner and app: enters a network namespace that holds nothing but loopback, then becomes the app.

    python -I -S .../replay/isolation.py -- COMMAND ...

Where the kernel refuses, the app runs all the same, under Python's guards alone, and the report says so first. Imports
nothing of ours: it runs in every replay before anything else, by its path and without any folder of modules but the
standard library's, since what it would import still has the network.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from typing import Final, NoReturn

VARIABLE: Final = "TIMETRACER_ISOLATION"
BEGAN: Final = "TIMETRACER_BEGAN"
"""`<seconds since 1970>:<process id>` of the first process of a replay, for all that it starts."""
NAMESPACE: Final = "namespace"
GUARDS: Final = "guards"

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 0x1
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
INTERFACE: Final = struct.Struct("16sh22x")  # struct ifreq of 64-bit Linux: name, flags, the rest of its union


def main(arguments: list[str]) -> NoReturn:
    """Never returns: becomes the command. Raises OSError when that cannot be run."""
    command = arguments[arguments.index("--") + 1 :]
    os.environ[VARIABLE] = NAMESPACE if isolate() else GUARDS
    began()
    os.execvp(command[0], command)


def began() -> tuple[float, int]:
    """When the replay began, by the real clock, and its first process: this one, if no other has said so."""
    seconds, _, process = os.environ.setdefault(BEGAN, f"{time.time()}:{os.getpid()}").partition(":")
    return float(seconds), int(process)


def isolate() -> bool:
    """True when this process now lives in a network of its own; False where the kernel has none or refuses, or where
    TIMETRACER_ISOLATION=guards asks for Python's guards alone (a remote debugger must get in)."""
    if os.environ.get(VARIABLE) == GUARDS or sys.platform != "linux" or not _is_allowed():
        return False
    return _enter()


def _is_allowed() -> bool:
    """Tried by a child first: some kernels grant the namespace and refuse what makes it usable, and there is no way
    back out of one."""
    child = os.fork()
    if child == 0:
        is_entered = False
        try:
            is_entered = _enter()
        finally:
            os._exit(0 if is_entered else 1)
    return os.waitpid(child, 0)[1] == 0


def _enter() -> bool:
    """Raises OSError when the namespace is there but cannot be set up."""
    servers = unix_servers()  # of the network that we leave
    if not _unshare():
        return False
    _raise_loopback()
    _cover(servers)
    return True


def _unshare() -> bool:
    """Only root may go without a user namespace, and in a container not even root."""
    return (os.geteuid() == 0 and _call(CLONE_NEWNET | CLONE_NEWNS)) or _unshare_user()


def _unshare_user() -> bool:
    uid, gid = os.geteuid(), os.getegid()
    if not _call(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS):
        return False
    # The app keeps its own user and group: files stay writable, and nothing thinks that it runs as root.
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    return True


def _call(flags: int) -> bool:
    unshare = getattr(os, "unshare", None)  # since Python 3.12
    if unshare is None:
        return bool(ctypes.CDLL(None, use_errno=True).unshare(flags) == 0)
    try:
        unshare(flags)
    except OSError:
        return False
    return True


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def unix_servers() -> list[str]:
    """Paths of the unix sockets that somebody of this machine has bound. A network namespace does not hide those."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        rows = [line.rstrip("\n").split(" ", 7) for line in table]
    return sorted({row[7].lstrip() for row in rows if len(row) == 8 and row[7].lstrip().startswith("/")})


def _cover(paths: list[str]) -> None:
    """Nothing answers there any more: for a C library, which Python's guards do not hold."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount / as private")
    for path in paths:
        libc.mount(b"/dev/null", os.fsencode(path), None, MS_BIND, None)  # refused: gone, or out of our reach anyway


def _raise_loopback() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, SIOCGIFFLAGS, INTERFACE.pack(b"lo", 0))
        flags = INTERFACE.unpack(found)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, INTERFACE.pack(b"lo", flags | IFF_UP))


if __name__ == "__main__":
    main(sys.argv)
