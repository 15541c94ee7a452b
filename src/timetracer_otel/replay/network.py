"""Python's guards: what would leave the machine is refused at once, with the target named.

They are always in place in a replaying process; inside the namespace they are the second line, and name who called.

An audit hook cannot be taken out again: `Guards` is installed once per process and stays.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import os
import socket
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Refused = Callable[[str, str], None]
"""Called with what was tried (`connect`, `send`, `resolve`, `run`) and the target."""

RESOLVERS: Final = frozenset(
    {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
)
RUNNERS: Final = frozenset({"subprocess.Popen", "os.system", "os.posix_spawn", "os.exec", "os.spawn"})
ON_THIS_MACHINE: Final = frozenset(getattr(socket, name) for name in ("AF_NETLINK", "AF_ALG") if hasattr(socket, name))
UNIX: Final = getattr(socket, "AF_UNIX", None)
LOGS: Final = frozenset({"/dev/log", "/var/run/syslog", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket"})
"""Where a process writes its log: nobody answers there, and an app that opens it would not start without."""
LOCAL_NAMES: Final = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})
REASON: Final = "timetracer replay: no network"
CLOCK_STEP_S: Final = 0.1  # a file system counts time in steps of its own


@dataclass(frozen=True, slots=True)
class Policy:
    """`any_loopback`: inside a namespace nothing else lives on loopback; else only ports bound by this process.
    `any_program`: inside a namespace children are as cut off as we are; else only this Python may be started."""

    any_loopback: bool
    any_program: bool


class Guards:
    def __init__(self, policy: Policy, refused: Refused, began_s: float) -> None:
        """`began_s`: seconds since 1970 by the real clock, when the first process of this replay began."""
        self._policy, self._tell, self._began_s = policy, refused, began_s
        self._bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._inside = threading.local()

    def install(self) -> None:
        sys.addaudithook(self._hook)
        for name in ("connect", "connect_ex", "sendto"):
            setattr(socket.socket, name, self._screened(getattr(socket.socket, name)))
        loop = asyncio.BaseEventLoop
        loop.getaddrinfo = self._screened_loop(loop.getaddrinfo)  # type: ignore[method-assign]  # nothing else is asked

    def _screened(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, which looks a name up before the audit hook hears of it, behind a look at that name."""

        @functools.wraps(method)
        def screened(sender: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1] if arguments else None
            if isinstance(address, tuple) and address and isinstance(address[0], (str, bytes)):
                self._resolve("socket.getaddrinfo", address)
            return method(sender, *arguments)

        return screened

    def _screened_loop(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """An event loop resolves in a thread, whose stack does not show who asked: the look is taken before."""

        @functools.wraps(method)
        def screened(loop: asyncio.BaseEventLoop, host: Any, port: Any, **options: Any) -> Any:
            self._resolve("socket.getaddrinfo", (host,))
            return method(loop, host, port, **options)

        return screened

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        check = _CHECKS.get(event)
        if check is None or getattr(self._inside, "is_checking", False):
            return
        self._inside.is_checking = True  # what the check itself calls (getsockname, a log) must not be checked again
        try:
            check(self, event, arguments)
        finally:
            self._inside.is_checking = False

    def _bind(self, event: str, arguments: tuple[Any, ...]) -> None:
        if isinstance(arguments[0], socket.socket):
            self._bound.add(arguments[0])

    def _connect(self, event: str, arguments: tuple[Any, ...]) -> None:
        what = "connect" if event == "socket.connect" else "send"
        address = arguments[1]
        if address is not None and not self._may_reach(arguments[0], address):
            self._tell(what, _shown(address))
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{REASON}: {what} {_shown(address)}")

    def _may_reach(self, sender: socket.socket, address: Any) -> bool:
        if sender.family in ON_THIS_MACHINE:
            return True
        if sender.family == UNIX:
            return self._is_socket_of_ours(os.fsdecode(address))
        if sender.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        host, port = address[0], address[1]
        return is_loopback(str(host)) and (self._policy.any_loopback or self._is_ours(int(port)))

    def _is_socket_of_ours(self, path: str) -> bool:
        """A socket's file is no part of the network namespace: a database of this machine may listen behind it. One
        that was made since we began is ours or a child's."""
        if path.startswith("\0") or not path:
            return self._policy.any_loopback or any(_name_of(bound) == path for bound in list(self._bound))
        if path in LOGS or any(_name_of(bound) == path for bound in list(self._bound)):
            return True
        try:
            return os.stat(path).st_ctime >= self._began_s - CLOCK_STEP_S
        except OSError:  # nobody is there, which the app is told by the system
            return True

    def _is_ours(self, port: int) -> bool:
        return any(_port_of(bound) == port for bound in list(self._bound))

    def _resolve(self, event: str, arguments: tuple[Any, ...]) -> None:
        host = _text(arguments[0][0] if event == "socket.getnameinfo" else arguments[0])
        if not (host.lower() in LOCAL_NAMES or _is_address(host) or host == _hostname()):
            self._tell("resolve", host)
            raise socket.gaierror(socket.EAI_NONAME, f"{REASON}: resolve {host}")

    def _run(self, event: str, arguments: tuple[Any, ...]) -> None:
        program = _text(arguments[1] if event == "os.spawn" else arguments[0])
        if self._policy.any_program or _is_this_python(program):
            return
        self._tell("run", program)
        raise PermissionError(errno.EPERM, f"{REASON}: run {program}")


_CHECKS: Final[dict[str, Callable[[Guards, str, tuple[Any, ...]], None]]] = {
    "socket.bind": Guards._bind,
    "socket.connect": Guards._connect,
    "socket.sendto": Guards._connect,
    "socket.sendmsg": Guards._connect,
    **dict.fromkeys(RESOLVERS, Guards._resolve),
    **dict.fromkeys(RUNNERS, Guards._run),
}


def is_loopback(host: str) -> bool:
    """True for loopback addresses of both families and the names that mean them."""
    if host.lower() in LOCAL_NAMES - {""}:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _hostname() -> str:
    return os.uname().nodename


def _is_this_python(program: str) -> bool:
    return os.path.realpath(program) == os.path.realpath(sys.executable)


def _name_of(bound: socket.socket) -> str | None:
    try:
        name = bound.getsockname()
    except OSError:  # closed
        return None
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else None


def _port_of(bound: socket.socket) -> int | None:
    try:
        name = bound.getsockname()
    except OSError:  # closed
        return None
    return int(name[1]) if isinstance(name, tuple) else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    return os.fsdecode(value) if isinstance(value, (str, bytes, os.PathLike)) else str(value)


def _shown(address: Any) -> str:
    if not isinstance(address, tuple):
        return _text(address)
    host = f"[{address[0]}]" if ":" in str(address[0]) else address[0]
    return f"{host}:{address[1]}"
