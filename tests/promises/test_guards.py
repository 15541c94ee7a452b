"""R50 without a namespace: Python's guards alone, among servers of this machine that must not be touched."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.demonstration import ROOT, environment
from tests.launching import SPARED
from tests.promises.running import run, with_report
from tests.replay.conftest import recorded
from timetracer_otel.cassette.model import Cassette, Segment

__all__ = ["recorded"]

FAMOUS = (5432, 6379, 27017)
TCP = ("raw", "loop", "sock_connect", "child", "spawn")
UDP = ("sendto", "sendmsg", "endpoint")
GUARDS = {"TIMETRACER_ISOLATION": "guards"}
PROBES = ("-m", "tests.promises.probes")


class Honeypots:
    """Servers of every kind; `touched` are the names of those that somebody spoke to."""

    def __init__(self, folder: str) -> None:
        self.targets: dict[str, Any] = {"tcp": []}
        self.touched: set[str] = set()
        self._selector = selectors.DefaultSelector()
        for port in FAMOUS:
            with contextlib.suppress(OSError):  # a real server is there, and is left alone
                self._listen(f"tcp {port}", socket.create_server(("127.0.0.1", port)))
                self.targets["tcp"].append(port)
        for name in TCP:
            self.targets[name] = self._listen(name, socket.create_server(("127.0.0.1", 0)))[1]
        if socket.has_ipv6:
            with contextlib.suppress(OSError):  # a machine without ::1
                self.targets["tcp6"] = self._listen("tcp6", socket.create_server(("::1", 0), family=socket.AF_INET6))[1]
        for name in UDP:
            self.targets[name] = self._listen(name, _bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)))[1]
        for name, place in {"path": f"{folder}/database", "name": f"\0timetracer-honeypot-{os.getpid()}"}.items():
            server = _bound(socket.AF_UNIX, socket.SOCK_STREAM, place)
            server.listen()
            self._listen(name, server)
            self.targets[name] = place
        self._wake, self._stop = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def _listen(self, name: str, server: socket.socket) -> Any:
        self._selector.register(server, selectors.EVENT_READ, name)
        return server.getsockname()

    def _hear(self) -> None:
        while True:
            for key, _ in self._selector.select():
                server = key.fileobj
                assert isinstance(server, socket.socket)
                if key.data is None:
                    return
                self.touched.add(key.data)
                if server.type == socket.SOCK_DGRAM:
                    server.recv(4096)
                else:
                    server.accept()[0].close()

    def stop(self) -> None:
        self._stop.sendall(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets were registered
        self._selector.close()
        self._stop.close()


def _bound(family: int, kind: int, place: Any) -> socket.socket:
    server = socket.socket(family, kind)
    server.bind(place)
    return server


@pytest.fixture
def honeypots() -> Iterator[Honeypots]:
    with tempfile.TemporaryDirectory() as folder:  # a short path: that of a socket has 108 bytes
        servers = Honeypots(folder)
        yield servers
        servers.stop()


Recordings = Mapping[str, tuple[Cassette, Segment]]


def test_r50_with_guards_only_no_server_of_this_machine_is_touched(
    recorded: Recordings, honeypots: Honeypots, tmp_path: Path
) -> None:
    command = ["timetracer-otel", "exec", recorded["/orders/42"][0].path]
    program = ("--", sys.executable, *PROBES, json.dumps(honeypots.targets))
    found = with_report(command, tmp_path, GUARDS, program)
    printed = json.loads(found.output.splitlines()[0])
    outcomes = {name: outcome for name, (outcome, _) in printed["attempts"].items()}
    assert "reached" not in outcomes.values(), outcomes
    assert honeypots.touched == set()
    assert set(printed["stays"].values()) == {"reached"}, printed["stays"]
    slow = {name for name, (_, seconds) in printed["attempts"].items() if seconds > 1}
    assert slow <= {"spawn", "python"}  # they start an interpreter
    _assert_named(found.report, honeypots.targets)
    assert found.status == 1


def _assert_named(report: Mapping[str, Any], targets: Mapping[str, Any]) -> None:
    assert report["uncontrolled"][0] == "native sockets"
    named = {miss["request"]["text"] for miss in report["misses"]}
    ports = [*targets["tcp"], *(targets[name] for name in TCP)]
    expected = {f"connect 127.0.0.1:{port}" for port in ports}
    expected |= {f"send 127.0.0.1:{targets[name]}" for name in UDP[:2]}
    expected |= {f"connect {targets['path']}", f"connect {targets['name']}"}
    assert expected <= named, expected - named
    assert {text.partition(" (")[0] for text in named if text.startswith("run ")} >= {
        "run curl",
        f"run {sys.executable}",
    }


def test_a_control_without_guards_trips_every_honeypot(honeypots: Honeypots) -> None:
    done = run([sys.executable, *PROBES, json.dumps(honeypots.targets)])
    printed = json.loads(done.stdout.splitlines()[-1])
    assert {outcome for outcome, _ in printed["attempts"].values()} == {"reached"}, printed
    expected = {*(f"tcp {port}" for port in honeypots.targets["tcp"]), *TCP, *UDP, "path", "name"}
    assert honeypots.touched >= expected


# ---- names -----------------------------------------------------------------------------------------------------------

UNSHARE = ("unshare", "-rnm")
RESOLVE = """
import asyncio, socket
def tried(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
async def on_a_loop():
    await asyncio.get_running_loop().getaddrinfo("loop.example", 80)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
tried(socket.getaddrinfo, "getaddrinfo.example", 80)
tried(socket.gethostbyname, "gethostbyname.example")
tried(socket.gethostbyname_ex, "gethostbyname-ex.example")
tried(socket.gethostbyaddr, "203.0.113.9")
tried(socket.getnameinfo, ("203.0.113.10", 80), 0)
tried(socket.create_connection, ("connect.example", 80))
tried(socket.socket().connect_ex, ("connect-ex.example", 80))
tried(udp.sendto, b"x", ("sendto.example", 8125))
tried(udp.sendmsg, [b"x"], [], 0, ("sendmsg.example", 8125))
tried(udp.bind, ("bind.example", 0))
tried(socket.getfqdn, "getfqdn.example")
tried(lambda: asyncio.run(on_a_loop()))
"""
ASKED = {
    *(f"{name}.example" for name in ("getaddrinfo", "gethostbyname", "gethostbyname-ex", "connect", "connect-ex")),
    *(f"{name}.example" for name in ("sendto", "sendmsg", "bind", "getfqdn", "loop")),
    "9.113.0.203.in-addr.arpa",
    "10.113.0.203.in-addr.arpa",
}


def has_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    command = [*UNSHARE, "mount", "--bind", "/etc/hosts", "/etc/resolv.conf"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_namespaces = pytest.mark.skipif(not has_namespaces(), reason="this kernel gives us no resolver of our own")


def asked_of_the_sink(*command: str) -> set[str]:
    sink = [*UNSHARE, sys.executable, "-m", "tests.promises.dns_sink", *command]
    variables = {**environment(PYTHONPATH=str(ROOT), **SPARED), **GUARDS}
    done = subprocess.run(sink, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout)["names"])


@needs_namespaces
def test_r50_with_guards_only_no_name_server_is_asked(recorded: Recordings) -> None:
    path = recorded["/orders/42"][0].path
    assert asked_of_the_sink("timetracer-otel", "exec", path, "--", sys.executable, "-c", RESOLVE) == set()


@needs_namespaces
def test_a_control_without_guards_asks_the_name_server_for_every_name() -> None:
    assert asked_of_the_sink(sys.executable, "-c", RESOLVE) >= ASKED
