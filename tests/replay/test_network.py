"""The guards cannot be taken out of a process again: each test looks at a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from timetracer_otel.replay.network import is_loopback

PRELUDE = """
import json, socket, subprocess, sys, os, threading, time
from timetracer_otel.replay.network import Guards, Policy
refused, got = [], []
policy = Policy(any_loopback={loopback}, any_program={loopback})
guards = Guards(policy, lambda what, target: refused.append([what, target]), time.time())
def tried(call):
    began = time.monotonic()
    try:
        call()
        got.append("done")
    except OSError as error:
        got.append(type(error).__name__)
    assert time.monotonic() - began < 1
"""


def guarded(code: str, loopback: bool = False) -> tuple[list[Any], list[Any]]:
    """What each `tried` came to, and what the guards told."""
    program = PRELUDE.format(loopback=loopback) + textwrap.dedent(code) + "\nprint(json.dumps([got, refused]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    got, refused = json.loads(done.stdout.splitlines()[-1])
    return got, refused


def test_r50_whatever_leaves_the_machine_is_refused_at_once_with_its_target() -> None:
    got, refused = guarded("""
        guards.install()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tried(lambda: socket.create_connection(("203.0.113.9", 443)))
        tried(lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)))
        tried(lambda: udp.sendto(b"x", ("203.0.113.9", 8125)))
        tried(lambda: udp.sendmsg([b"x"], [], 0, ("203.0.113.9", 8126)))
        tried(lambda: socket.getaddrinfo("db.example", 5432))
        tried(lambda: socket.gethostbyname("db.example"))
        tried(lambda: socket.getnameinfo(("203.0.113.9", 80), 0))
        tried(lambda: socket.socket().connect(("db.example", 5432)))
        tried(lambda: udp.sendto(b"x", ("statsd.example", 8125)))
    """)
    assert got == [
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        "gaierror",
        "gaierror",
        "done",
        "gaierror",
        "gaierror",
    ]
    assert refused == [
        ["connect", "203.0.113.9:443"],
        ["connect", "[2001:db8::1]:443"],
        ["send", "203.0.113.9:8125"],
        ["send", "203.0.113.9:8126"],
        ["resolve", "db.example"],
        ["resolve", "db.example"],
        ["resolve", "db.example"],
        ["resolve", "statsd.example"],
    ]


def test_without_the_guards_the_same_calls_are_not_refused_by_us() -> None:
    _, refused = guarded("""
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
    """)
    assert refused == []


HONEYPOT = """
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
    listen += "print(s.getsockname()[1], flush=True); time.sleep(20)"
    honeypot = subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE, text=True)
    port = int(honeypot.stdout.readline())
    guards.install()
    tried(lambda: socket.create_connection(("127.0.0.1", port)).close())
    honeypot.kill()
    honeypot.wait()
    honeypot.stdout.close()
"""


def test_loopback_is_open_to_ports_of_this_process_only() -> None:
    assert guarded(HONEYPOT)[0] == ["ConnectionRefusedError"]
    got, refused = guarded("""
        guards.install()
        with socket.create_server(("127.0.0.1", 0)) as server:
            tried(lambda: socket.create_connection(("127.0.0.1", server.getsockname()[1])).close())
            tried(lambda: socket.create_connection(("localhost", server.getsockname()[1])).close())
    """)
    assert (got, refused) == (["done", "done"], [])


def test_inside_the_namespace_all_loopback_is_open() -> None:
    assert guarded(HONEYPOT, loopback=True)[0] == ["done"]


def test_event_loops_pairs_and_unix_sockets_are_left_alone() -> None:
    got, refused = guarded("""
        import asyncio, tempfile
        guards.install()

        async def main():
            async def served(reader, writer):
                writer.write(await reader.readline())
                writer.close()
            with tempfile.TemporaryDirectory() as folder:
                server = await asyncio.start_unix_server(served, folder + "/s")
                reader, writer = await asyncio.open_unix_connection(folder + "/s")
                writer.write(b"x\\n")
                assert await reader.readline() == b"x\\n"
                writer.close()
                server.close()
            server = await asyncio.start_server(served, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"x\\n")
            assert await reader.readline() == b"x\\n"
            writer.close()
            server.close()

        thread = threading.Thread(target=lambda: tried(lambda: asyncio.run(main())))
        thread.start()
        thread.join()
        one, two = socket.socketpair()
        one.sendall(b"x")
        tried(lambda: two.recv(1))
        one.close(); two.close()
    """)
    assert (got, refused) == (["done", "done"], [])


def test_without_the_namespace_only_this_python_may_be_started() -> None:
    got, refused = guarded("""
        guards.install()
        tried(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
        tried(lambda: subprocess.run(["/bin/true"], check=True))
        tried(lambda: os.system("true"))
    """)
    assert got == ["done", "PermissionError", "PermissionError"]
    assert refused == [["run", "/bin/true"], ["run", "true"]]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("203.0.113.9", False),
        ("::ffff:203.0.113.9", False),
        ("127.0.0.1.example", False),
        ("", False),
    ],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_sockets_of_this_process_are_untouched_by_the_tests_above() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


LOCAL_SERVICE = """
    import tempfile
    path = tempfile.mkdtemp() + "/database"
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    guards = Guards(policy, lambda what, target: refused.append([what, target.replace(path, "PATH")]), time.time() + 60)
    guards.install()
    tried(lambda: socket.socket(socket.AF_UNIX).connect(path))
    tried(lambda: socket.socket(socket.AF_UNIX).connect(path + "-of-nobody"))
"""


@pytest.mark.parametrize("loopback", [True, False])
def test_r50_a_service_behind_a_unix_socket_of_this_machine_is_refused(loopback: bool) -> None:
    """A network namespace does not hide it."""
    got, refused = guarded(LOCAL_SERVICE, loopback=loopback)
    assert got == ["ConnectionRefusedError", "FileNotFoundError"]
    assert refused == [["connect", "PATH"]]
