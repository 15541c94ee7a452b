"""Runs a command in a network of its own whose every packet is counted: `python sealed.py FILE COMMAND ...`

Loopback is its only device and the way to every address, with honeypots on famous ports. FILE gets, as JSON, the
packets that were sent while the command ran, and the honeypots that were called.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from timetracer_otel.replay.isolation import IFF_UP, INTERFACE, SIOCSIFFLAGS

UNSHARE = ("unshare", "-rnm")
PORTS = (80, 443, 5432, 5672, 6379, 8080, 9092, 27017)
LOOPBACK = b"lo"
SIOCADDRT = 0x890B
RTF_UP = 0x1


class Route(ctypes.Structure):
    """struct rtentry of Linux: without a destination it is the way to everybody."""

    _fields_ = [
        ("pad1", ctypes.c_ulong),
        *((name, ctypes.c_ubyte * 16) for name in ("destination", "gateway", "mask")),
        ("flags", ctypes.c_ushort),
        ("pad2", ctypes.c_short),
        ("pad3", ctypes.c_ulong),
        ("pad4", ctypes.c_void_p),
        ("metric", ctypes.c_short),
        ("device", ctypes.c_char_p),
        ("mtu", ctypes.c_ulong),
        ("window", ctypes.c_ulong),
        ("irtt", ctypes.c_ushort),
    ]


def sealed(file: Path, command: Sequence[str]) -> list[str]:
    """The command that runs the given one so; the file is written when it has ended."""
    return [*UNSHARE, sys.executable, __file__, str(file), *command]


@functools.cache
def is_possible() -> bool:
    """False where the kernel gives no network to users without rights."""
    if shutil.which(UNSHARE[0]) is None:
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


def main(file: str, *command: str) -> int:
    """The command's exit code."""
    _open_the_way()
    called: list[int] = []
    for port in PORTS:
        _listen(port, called)
    before = _packets()
    status = subprocess.run(command, check=False).returncode
    Path(file).write_text(json.dumps({"packets": _packets() - before, "called": called}))
    return status


def _open_the_way() -> None:
    everybody = (socket.AF_INET).to_bytes(2, sys.byteorder) + bytes(14)
    places = {name: (ctypes.c_ubyte * 16)(*everybody) for name in ("destination", "gateway", "mask")}
    route = Route(**places, flags=RTF_UP, device=LOOPBACK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, INTERFACE.pack(LOOPBACK, IFF_UP))
        fcntl.ioctl(control, SIOCADDRT, bytes(route))


def _listen(port: int, called: list[int]) -> None:
    server = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=_accept, args=(server, port, called), daemon=True).start()


def _accept(server: socket.socket, port: int, called: list[int]) -> None:
    while True:
        caller, _ = server.accept()
        called.append(port)
        caller.close()


def _packets() -> int:
    """Sent so far, by whomever."""
    (line,) = [each for each in Path("/proc/self/net/dev").read_text().splitlines() if each.strip().startswith("lo:")]
    return int(line.partition(":")[2].split()[9])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
