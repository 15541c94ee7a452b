from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from timetracer_otel.replay import isolation

LOOK = """
import json, os, socket
def reach(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError as error:
        return type(error).__name__
    return "reached"
server = socket.create_server(("127.0.0.1", 0))
print(json.dumps({
    "isolation": os.environ["TIMETRACER_ISOLATION"], "uid": os.getuid(), "gid": os.getgid(),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "own": reach(server.getsockname()), "honeypot": reach(("127.0.0.1", HONEYPOT)), "world": reach(("203.0.113.9", 80)),
}))
"""


PROBE = "import sys; from timetracer_otel.replay.isolation import isolate; sys.exit(not isolate())"


def refusal() -> str | None:
    """Why this kernel gives no network namespace to us; None when it does. Asked in a child: there is no way back."""
    child = subprocess.run(
        [sys.executable, "-c", PROBE],
        check=False,
        capture_output=True,
        text=True,
    )
    if child.returncode == 0:
        return None
    return f"unshare is refused here ({child.stderr.strip() or os.strerror(ctypes.get_errno())}, uid {os.getuid()})"


REFUSAL = refusal()
needs_namespace = pytest.mark.skipif(REFUSAL is not None, reason=str(REFUSAL))


@pytest.fixture
def honeypot() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def look(honeypot: socket.socket, *prefix: str, python: str = sys.executable, script: str = "") -> dict[str, object]:
    code = LOOK.replace("HONEYPOT", str(honeypot.getsockname()[1]))
    step = [script] if script else ["-m", "timetracer_otel.replay.isolation"]
    command = [*prefix, python, *step, "--", python, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@needs_namespace
def test_inside_the_namespace_nothing_but_its_own_loopback_is_reachable(honeypot: socket.socket) -> None:
    found = look(honeypot)
    assert found["isolation"] == isolation.NAMESPACE
    assert found["interfaces"] == ["lo"]
    assert (found["own"], found["honeypot"], found["world"]) == ("reached", "ConnectionRefusedError", "OSError")
    with pytest.raises(TimeoutError):
        honeypot.accept()


def test_a_control_without_the_namespace_trips_the_honeypot(honeypot: socket.socket) -> None:
    socket.create_connection(honeypot.getsockname()).close()
    honeypot.accept()[0].close()


DIAL = """
import ctypes, os, sys
path = os.fsencode(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
address = ctypes.create_string_buffer((1).to_bytes(2, sys.byteorder) + path)
connected = libc.connect(libc.socket(1, 1, 0), address, len(path) + 3)
print("reached" if connected == 0 else os.strerror(ctypes.get_errno()))
"""
"""A C library that dials a unix socket, as libpq does: nothing of Python sees it."""


@pytest.fixture
def database() -> Iterator[socket.socket]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/.s.PGSQL.5432")
        server.listen()
        yield server


def dialled(database: socket.socket, *step: str) -> str:
    command = [*step, sys.executable, "-c", DIAL, database.getsockname()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@needs_namespace
def test_r50_inside_the_namespace_a_c_library_reaches_no_unix_socket_of_this_machine(database: socket.socket) -> None:
    step = (sys.executable, "-m", "timetracer_otel.replay.isolation", "--")
    assert dialled(database, *step) == "Connection refused"


def test_a_control_without_the_namespace_reaches_the_unix_socket(database: socket.socket) -> None:
    assert dialled(database) == "reached"


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def script_for_all() -> Iterator[str]:
    """The step as a file that every user may read: it imports nothing of ours."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield shutil.copy(isolation.__file__, folder)


@needs_namespace
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="only root can become another user")
@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no interpreter that every user may run")
def test_a_user_without_rights_keeps_its_own_uid_and_gid(honeypot: socket.socket, script_for_all: str) -> None:
    found = look(honeypot, *NOBODY, python="/usr/bin/python3", script=script_for_all)
    assert (found["uid"], found["gid"]) == (65534, 65534)
    if found["isolation"] == isolation.GUARDS:
        pytest.skip("the kernel gives no user namespace to users without rights")
    assert (found["own"], found["honeypot"]) == ("reached", "ConnectionRefusedError")


def test_the_command_runs_and_its_exit_code_is_kept() -> None:
    step = [sys.executable, "-m", "timetracer_otel.replay.isolation", "--"]
    command = [*step, sys.executable, "-c", "raise SystemExit(7)"]
    assert subprocess.run(command, check=False).returncode == 7
