"""The guards cannot be taken out of a process again: each test looks at a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from timetracer_otel.replay.addresses import is_loopback

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
        assert time.monotonic() - began < 4  # a name that is asked for takes 5 s without a network
"""


def guarded(code: str, loopback: bool = False, *arguments: str) -> tuple[list[Any], list[Any]]:
    """What each `tried` came to, and what the guards told."""
    program = PRELUDE.format(loopback=loopback) + textwrap.dedent(code) + "\nprint(json.dumps([got, refused]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
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
        tried(lambda: socket.gethostbyaddr("203.0.113.8"))
        tried(lambda: socket.socket().connect(("db.example", 5432)))
        tried(lambda: udp.sendto(b"x", ("statsd.example", 8125)))
        tried(lambda: udp.sendmsg([b"x"], [], 0, ("statsd.example", 8126)))
        tried(lambda: udp.bind(("db.example", 0)))
    """)
    assert got == [
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        "ConnectionRefusedError",
        *["gaierror"] * 8,
    ]
    assert refused == [
        ["connect", "203.0.113.9:443"],
        ["connect", "[2001:db8::1]:443"],
        ["send", "203.0.113.9:8125"],
        ["send", "203.0.113.9:8126"],
        ["resolve", "db.example"],
        ["resolve", "db.example"],
        ["resolve", "203.0.113.9"],
        ["resolve", "203.0.113.8"],
        ["resolve", "db.example"],
        ["resolve", "statsd.example"],
        ["resolve", "statsd.example"],
        ["resolve", "db.example"],
    ]


def test_what_asks_nobody_is_left_alone() -> None:
    got, refused = guarded("""
        guards.install()
        tried(lambda: socket.getnameinfo(("203.0.113.9", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV))
        tried(lambda: socket.getaddrinfo("203.0.113.9", 80))
        tried(lambda: socket.getaddrinfo("localhost", 80))
        tried(lambda: socket.getaddrinfo(None, 80))
        tried(lambda: socket.gethostbyname("127.0.0.1"))
    """)
    assert (got, refused) == (["done"] * 5, [])


@pytest.mark.skipif(not hasattr(socket, "AF_PACKET") or os.getuid() != 0, reason="only root of Linux has raw packets")
def test_raw_packets_are_refused_where_no_further_event_would_come() -> None:
    got, refused = guarded("""
        guards.install()
        tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).bind(("lo", 0)))
    """)
    assert (got, refused) == (["PermissionError"], [["bind", "lo:0"]])


def test_connect_ex_returns_its_error() -> None:
    _, refused = guarded("""
        import errno
        guards.install()
        raw = socket.socket()
        raw.setblocking(False)
        assert raw.connect_ex(("203.0.113.9", 443)) == errno.ECONNREFUSED
        assert raw.connect_ex(("127.0.0.1", 1)) == errno.ECONNREFUSED
    """)
    assert refused == [["connect", "203.0.113.9:443"], ["connect", "127.0.0.1:1"]]


def test_without_the_guards_the_same_calls_are_not_refused_by_us() -> None:
    _, refused = guarded("""
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
    """)
    assert refused == []


HONEYPOT = """
    guards.install()
    tried(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close())
"""


def test_loopback_is_open_to_ports_of_this_process_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        got, refused = guarded(HONEYPOT, False, port := str(server.getsockname()[1]))
    assert (got, refused) == (["ConnectionRefusedError"], [["connect", f"127.0.0.1:{port}"]])
    got, refused = guarded("""
        guards.install()
        with socket.create_server(("127.0.0.1", 0)) as server:
            tried(lambda: socket.create_connection(("127.0.0.1", server.getsockname()[1])).close())
            tried(lambda: socket.create_connection(("localhost", server.getsockname()[1])).close())
    """)
    assert (got, refused) == (["done", "done"], [])


def test_ports_of_other_processes_of_the_replay_are_open() -> None:
    """A test client and a server in a child, or the other way round."""
    got, refused = guarded("""
        listening, told = os.pipe()
        stop, wait = os.pipe()
        guards.install()
        child = os.fork()
        if child == 0:
            servers = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
            servers[1].bind(f"\\0timetracer-{os.getpid()}")
            servers[1].listen()
            os.write(told, str(servers[0].getsockname()[1]).encode())
            os.read(stop, 1)
            os._exit(0)
        port = int(os.read(listening, 10))
        tried(lambda: socket.create_connection(("127.0.0.1", port)).close())
        tried(lambda: socket.socket(socket.AF_UNIX).connect(f"\\0timetracer-{child}"))
        tried(lambda: socket.socket(socket.AF_UNIX).connect("\\0timetracer-of-nobody"))
        os.write(wait, b"x")
        os.waitpid(child, 0)
    """)
    assert got == ["done", "done", "ConnectionRefusedError"]
    assert refused == [["connect", "\0timetracer-of-nobody"]]


def test_inside_the_namespace_all_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert guarded(HONEYPOT, True, str(server.getsockname()[1])) == (["done"], [])


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


LED = """
    folder = "x/instrumentation/auto_instrumentation"
    led = {**os.environ, "TIMETRACER_MODE": "replay", "TIMETRACER_CASSETTE": "c", "PYTHONPATH": folder}
    python = sys.executable
    guards.install()
"""


def test_without_the_namespace_only_python_that_loads_the_guards_may_be_started() -> None:
    got, refused = guarded(
        LED
        + """
    run = lambda *command, **how: tried(lambda: subprocess.run(command, check=True, **{"env": led, **how}))
    run(python, "-c", "")
    run(python, "-uW", "error", "-c", "import sys; sys.exit()", "-I")
    run("/bin/true")
    run("true && true", shell=True)
    run(python, "-I", "-c", "")
    run(python, "-BE", "-c", "")
    run(python, "-X", "utf8", "-S", "-c", "")
    run(python, "-c", "", env={})
    run(python, "-c", "", env={**led, "PYTHONPATH": ""})
    run("./true", cwd="/bin")
    tried(lambda: os.system("true"))
    tried(lambda: os.posix_spawn("/bin/true", ["true"], {}))
    """
    )
    assert got == ["done", "done", *["PermissionError"] * 10]
    assert [what for what, _ in refused] == ["run"] * 10
    assert [target.partition("(")[2] for _, target in refused] == [
        "it is not this Python)",
        "it is not this Python)",
        "python -I would not load the guards)",
        "python -E would not load the guards)",
        "python -S would not load the guards)",
        "its environment lacks TIMETRACER_MODE and TIMETRACER_CASSETTE of this replay)",
        "its PYTHONPATH lacks the folder that loads the guards)",
        "it is not found from here)",
        "a shell is not this Python)",
        "it is not this Python)",
    ]


def test_what_is_not_there_is_told_by_the_system() -> None:
    got, refused = guarded(LED + '    tried(lambda: subprocess.run(["no-such-program"], env=led))')
    assert (got, refused) == (["FileNotFoundError"], [])


FORK = """
    def forked(call):
        child = os.fork()
        if child == 0:
            try:
                call()
            except PermissionError:
                os._exit(7)
            os._exit(0)
        got.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_that_becomes_another_program_is_refused_in_the_child() -> None:
    got, _ = guarded(
        LED
        + FORK
        + """
    forked(lambda: os.execv("/bin/true", ["true"]))
    forked(lambda: os.execve(python, ["python", "-I", "-c", ""], led))
    forked(lambda: os.execve(python, ["python", "-c", ""], led))
    forked(lambda: os.execvpe("python3", ["python3", "-c", ""], {**led, "PATH": os.path.dirname(python)}))
    """
    )
    assert got == [7, 7, 0, 0]


def test_a_script_is_judged_by_its_first_line(tmp_path: Path) -> None:
    for name, line in {"ours": sys.executable, "isolated": f"{sys.executable} -I", "shell": "/bin/sh"}.items():
        (tmp_path / name).write_text(f"#!{line}\n")
        (tmp_path / name).chmod(0o755)
    got, _ = guarded(
        LED
        + f"""
    for name in ("ours", "isolated", "shell"):
        tried(lambda: subprocess.run([{str(tmp_path)!r} + "/" + name], env=led, check=True))
    """
    )
    assert got == ["done", "PermissionError", "PermissionError"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_starts_children_that_load_the_guards_and_no_others(method: str) -> None:
    program = (
        LED
        + f"""
    import multiprocessing
    context = multiprocessing.get_context({method!r})
    def one():
        process = context.Process(target=print, args=("in the child",))
        process.start()
        process.join()
        assert process.exitcode == 0
    os.environ.update(led)
    tried(one)
    del os.environ["TIMETRACER_MODE"]
    tried(one)
    """
    )
    got, refused = guarded(program)
    assert got[0] == "done"
    if method == "spawn":  # the server of the other was started before, and a fork has the guards already
        assert got[1] == "PermissionError"
        assert "its environment lacks TIMETRACER_MODE" in refused[0][1]


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
