"""Python's guards: what would leave the machine is refused at once, with the target named.

They are always in place in a replaying process; inside the namespace they are the second line, and name who called.

An audit hook cannot be taken out again: that of guards that were uninstalled stays, and does nothing.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import socket
import subprocess  # noqa: F401  so that it holds the original of what `install` replaces, and is heard by its event alone
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from timetracer_otel.replay.addresses import is_address, is_known_here, is_loopback, shown, text_of
from timetracer_otel.replay.children import unguarded
from timetracer_otel.replay.live import Live
from timetracer_otel.replay.tree import Tree

Refused = Callable[[str, str], None]
"""Called with what was tried (`connect`, `send`, `resolve`, `run`, `bind`) and the target."""

RESOLVERS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
REVERSE_RESOLVERS: Final = frozenset({"socket.gethostbyaddr", "socket.getnameinfo"})
RUNNERS: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.exec"})
ON_THIS_MACHINE: Final = frozenset(getattr(socket, name) for name in ("AF_NETLINK", "AF_ALG") if hasattr(socket, name))
INTERNET: Final = (socket.AF_INET, socket.AF_INET6)
UNIX: Final = getattr(socket, "AF_UNIX", None)
LOGS: Final = frozenset({"/dev/log", "/var/run/syslog", "/run/systemd/journal/dev-log", "/run/systemd/journal/socket"})
"""Where a process writes its log: nobody answers there, and an app that opens it would not start without."""
REASON: Final = "timetracer replay: no network"
CLOCK_STEP_S: Final = 0.1  # a file system counts time in steps of its own


@dataclass(frozen=True, slots=True)
class Policy:
    """`any_loopback`: inside a namespace nothing else lives on loopback; else only ports bound by this process tree.
    `any_program`: inside a namespace children are as cut off as we are; else only what loads these guards may start."""

    any_loopback: bool
    any_program: bool
    live: Live = field(default_factory=lambda: Live(()))
    """Whom it lets through all the same."""


class Guards:
    def __init__(self, policy: Policy, refused: Refused, began_s: float, root: int | None = None) -> None:
        """`began_s`: seconds since 1970 by the real clock, when the first process of this replay began; `root`: its
        process id, this one's if None."""
        self._policy, self._tell, self._began_s = policy, refused, began_s
        self._tree = Tree(os.getpid() if root is None else root)
        self._bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._inside = threading.local()
        self._is_in = self._is_hooked = False
        self._undo: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        self._is_in = True
        if not self._is_hooked:
            self._is_hooked = True
            sys.addaudithook(self._hook)
        for name in ("connect", "sendto", "sendmsg", "bind"):
            self._put(socket.socket, name, self._screened(getattr(socket.socket, name)))
        self._put(socket.socket, "connect_ex", self._by_number(self._screened(socket.socket.connect_ex)))
        self._put(socket, "getnameinfo", self._screened_names(socket.getnameinfo))
        loop = asyncio.BaseEventLoop
        self._put(loop, "getaddrinfo", self._screened_loop(loop.getaddrinfo))
        self._screen_multiprocessing()

    def uninstall(self) -> None:
        """For a process that goes on without a replay."""
        self._is_in = False
        while self._undo:
            owner, name, original = self._undo.pop()
            if original is None:  # it is a base's
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    def _put(self, owner: Any, name: str, new: Any) -> None:
        self._undo.append((owner, name, vars(owner).get(name)))
        setattr(owner, name, new)

    # ---- before the audit hook hears of it ---------------------------------------------------------------------------

    def _screened(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, which looks a name up before the audit hook hears of it, behind a look at that name."""

        @functools.wraps(method)
        def screened(sender: socket.socket, *arguments: Any) -> Any:
            address = arguments[-1] if arguments else None
            if sender.family in INTERNET and isinstance(address, tuple) and isinstance(address[0], (str, bytes)):
                self._resolve("socket.getaddrinfo", address)
            return method(sender, *arguments)

        return screened

    def _by_number(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """`connect_ex` returns the error of a connection that is refused."""

        @functools.wraps(method)
        def connect_ex(sender: socket.socket, address: Any) -> Any:
            try:
                return method(sender, address)
            except ConnectionRefusedError as error:
                return error.errno

        return connect_ex

    def _screened_names(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """With NI_NUMERICHOST nobody is asked; the audit hook is not told of it."""

        @functools.wraps(function)
        def getnameinfo(address: Any, flags: int) -> Any:
            self._inside.is_numeric = bool(flags & socket.NI_NUMERICHOST)
            try:
                return function(address, flags)
            finally:
                self._inside.is_numeric = False

        return getnameinfo

    def _screened_loop(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """An event loop resolves in a thread, whose stack does not show who asked: the look is taken before."""

        @functools.wraps(method)
        def screened(loop: asyncio.BaseEventLoop, host: Any, port: Any, **options: Any) -> Any:
            self._resolve("socket.getaddrinfo", (host,))
            return method(loop, host, port, **options)

        return screened

    def _screen_multiprocessing(self) -> None:
        """It starts its processes below `subprocess`, where no event is raised."""
        try:
            import _posixsubprocess
        except ImportError:  # Windows, where it raises one
            return
        original = _posixsubprocess.fork_exec

        @functools.wraps(original)
        def fork_exec(arguments: Any, programs: Any, *rest: Any) -> Any:
            given = rest[3] if len(rest) > 3 else None
            environment = None if given is None else dict(os.fsdecode(each).split("=", 1) for each in given)
            self._run("fork_exec", (programs[0], arguments, environment))
            return original(arguments, programs, *rest)

        self._put(_posixsubprocess, "fork_exec", fork_exec)

    # ---- the audit hook ----------------------------------------------------------------------------------------------

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        check = _CHECKS.get(event)
        if check is None or not self._is_in or getattr(self._inside, "is_checking", False):
            return
        self._inside.is_checking = True  # what the check itself calls (getsockname, a log) must not be checked again
        try:
            check(self, event, arguments)
        finally:
            self._inside.is_checking = False

    def _bind(self, event: str, arguments: tuple[Any, ...]) -> None:
        if arguments[0].family not in (*INTERNET, UNIX, *ON_THIS_MACHINE):
            # Some families (packets, Bluetooth) send from there without a further event.
            self._tell("bind", shown(arguments[1]))
            raise PermissionError(errno.EPERM, f"{REASON}: bind {shown(arguments[1])}")
        if isinstance(arguments[0], socket.socket):
            self._bound.add(arguments[0])

    def _connect(self, event: str, arguments: tuple[Any, ...]) -> None:
        what = "connect" if event == "socket.connect" else "send"
        address = arguments[1]
        if address is not None and not (
            self._may_reach(arguments[0], address) or self._policy.live.lets(what, shown(address))
        ):
            self._tell(what, shown(address))
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{REASON}: {what} {shown(address)}")

    def _may_reach(self, sender: socket.socket, address: Any) -> bool:
        if sender.family in ON_THIS_MACHINE:
            return True
        if sender.family == UNIX:
            return self._is_socket_of_ours(os.fsdecode(address))
        if sender.family not in INTERNET:
            return False
        host, port = address[0], address[1]
        if not is_loopback(str(host)):
            return False
        if not self._policy.any_loopback:
            return self._is_ours(int(port))
        # In a namespace the kernel would refuse it too, and nobody would name what the app has asked for.
        return sender.type != socket.SOCK_STREAM or self._tree.is_open(int(port))

    def _is_socket_of_ours(self, path: str) -> bool:
        """A socket's file is no part of the network namespace: a database of this machine may listen behind it. One
        that was made since we began is ours or a child's."""
        if any(_name_of(bound) == path for bound in list(self._bound)):
            return True
        if path.startswith("\0") or not path:
            return self._policy.any_loopback or self._tree.has_name(path)
        if path in LOGS:
            return True
        try:
            return os.stat(path).st_ctime >= self._began_s - CLOCK_STEP_S
        except OSError:  # nobody is there, which the app is told by the system
            return True

    def _is_ours(self, port: int) -> bool:
        return any(_port_of(bound) == port for bound in list(self._bound)) or self._tree.has_port(port)

    def _resolve(self, event: str, arguments: tuple[Any, ...]) -> None:
        host = text_of(arguments[0])
        is_own = self._policy.any_loopback and host == socket.gethostname()
        if not (is_address(host) or is_known_here(host) or is_own or self._policy.live.lets("resolve", host)):
            self._refuse_name(host)

    def _resolve_back(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The name of an address is a question to a name server as well."""
        host = text_of(arguments[0][0] if event == "socket.getnameinfo" else arguments[0])
        if is_address(host) and not is_loopback(host) and not getattr(self._inside, "is_numeric", False):
            self._refuse_name(host)
        self._resolve(event, (host,))

    def _refuse_name(self, host: str) -> None:
        self._tell("resolve", host)
        raise socket.gaierror(socket.EAI_NONAME, f"{REASON}: resolve {host}")

    def _run(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._policy.any_program:
            return
        program, words = text_of(arguments[0]), _words(arguments[1])
        environment = arguments[3] if event == "subprocess.Popen" else arguments[2]
        reason = unguarded(program, words, os.environ if environment is None else _decoded(environment))
        if reason is not None:
            self._refuse_program(f"{program} ({reason})")

    def _run_shell(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._policy.any_program:
            self._refuse_program(f"{text_of(arguments[0])} (a shell is not this Python)")

    def _refuse_program(self, program: str) -> None:
        self._tell("run", program)
        raise PermissionError(errno.EPERM, f"{REASON}: run {program}")


_CHECKS: Final[dict[str, Callable[[Guards, str, tuple[Any, ...]], None]]] = {
    "socket.bind": Guards._bind,
    "socket.connect": Guards._connect,
    "socket.sendto": Guards._connect,
    "socket.sendmsg": Guards._connect,
    **dict.fromkeys(RESOLVERS, Guards._resolve),
    **dict.fromkeys(REVERSE_RESOLVERS, Guards._resolve_back),
    **dict.fromkeys(RUNNERS, Guards._run),
    "os.system": Guards._run_shell,
}


def _words(arguments: Any) -> Sequence[str]:
    return [text_of(arguments)] if isinstance(arguments, (str, bytes)) else [text_of(each) for each in arguments]


def _decoded(environment: Mapping[Any, Any]) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}


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
