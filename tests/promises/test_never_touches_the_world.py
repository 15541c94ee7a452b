"""Design §12, *never touches the world*: nothing that a replay does is seen by a server, wherever its DSN leads."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.demonstration import Demonstration
from tests.promises.conftest import Recorded
from tests.promises.honeypot import PORTS
from tests.promises.running import Replayed, replay, run, with_report
from tests.promises.sealed import is_possible, sealed
from tests.replay.test_isolation import needs_namespace
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.postgres

APP = ("--app", "tests.promises.shop_beside_honeypots:app")
HOSTS = ("127.0.0.1", "localhost", "db.prod.internal", "203.0.113.7")
LISTENING = [f"listening {port}" for port in PORTS]
SHOP_WITHOUT_REDIRECT = ("--app", "tests.promises.without_redirect:shop()")
WITHOUT_REDIRECT = ("--app", "tests.promises.without_redirect:service()")
REFUSING = """
import sys
from timetracer_otel.cli import main
from timetracer_otel.replay import launch
step = "import sys; from timetracer_otel.replay import isolation as i; i.isolate = lambda: False; i.main(sys.argv)"
launch.ISOLATE = (sys.executable, "-c", step, "--")
sys.exit(main())
"""
"""The command line on a kernel that gives no namespace."""


def replay_in_shop(
    demo: Demonstration, trace: str, folder: Path, host: str, *options: str, **variables: str
) -> tuple[Replayed, list[str]]:
    """What the replay of a recorded request says, and what the honeypots in its namespace have seen."""
    log = folder / f"honeypot-{trace}"
    place = {"DATABASE_URL": f"postgresql://shop@{host}:5432/shop?connect_timeout=2", "HONEYPOT": str(log)}
    command = ["timetracer-otel", "replay", str(demo.folder / "cassettes" / trace), *APP, *options]
    found = with_report(command, folder, {**place, **variables}, cwd=demo.folder)
    return found, log.read_text().splitlines()


# ---- in the namespace ------------------------------------------------------------------------------------------------


@needs_namespace
def test_servers_on_the_loopback_of_the_namespace_see_nothing_of_the_shop(demo: Demonstration, tmp_path: Path) -> None:
    """Every request of the shop, each with another address."""
    traces = [str(trace["trace_id"]) for trace in demo.listed()]

    def replayed(trace: str, host: str) -> tuple[str, int, object, list[str]]:
        found, seen = replay_in_shop(demo, trace, tmp_path, host)
        return found.verdict, found.status, found.report["uncontrolled"], seen

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(replayed, traces, itertools.cycle(HOSTS)))
    assert len(found) > len(HOSTS)
    assert found == [("same", 0, [], LISTENING)] * len(traces)


@needs_namespace
def test_a_control_without_the_redirect_trips_the_honeypot(demo: Demonstration, tmp_path: Path) -> None:
    found, seen = replay_in_shop(demo, demo.failing, tmp_path, "127.0.0.1", "--timeout", "10s", *SHOP_WITHOUT_REDIRECT)
    assert found.verdict != "same"
    assert "called 5432" in seen


NATIVE = """
import ctypes, ctypes.util, json, os, socket, struct, subprocess, sys

def native(address, port):
    libc = ctypes.CDLL(None, use_errno=True)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if port == 53 else socket.SOCK_STREAM)
    where = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton(address))
    return os.strerror(ctypes.get_errno()) if libc.connect(sock.fileno(), where, len(where)) else "connected"

server = socket.create_server(("127.0.0.1", 0))
print(json.dumps({
    "interfaces": [name for _, name in socket.if_nameindex()],
    "own": native("127.0.0.1", server.getsockname()[1]),
    "outside": native("127.0.0.1", int(sys.argv[1])),
    "tcp": native("203.0.113.9", 443),
    "dns": native("203.0.113.9", 53),
    "child": subprocess.run(["cat", "/proc/net/dev"], capture_output=True, text=True).stdout.count(":"),
}))
"""


@needs_namespace
def test_not_even_native_sockets_and_children_find_a_way_out_of_the_namespace(
    recorded: Recorded, tmp_path: Path
) -> None:
    with honeypot() as (port, calls):
        command = ["timetracer-otel", "exec", recorded.trace("/poll"), "--", sys.executable, "-c", NATIVE, str(port)]
        done = run(command)
    found = json.loads(done.stdout)
    assert (found["interfaces"], found["own"], found["child"]) == (["lo"], "connected", 1)
    assert (found["tcp"], found["dns"]) == ("Network is unreachable", "Network is unreachable")
    assert (found["outside"], calls) == ("Connection refused", [])


WAYS = """
import os, subprocess, sys
import psycopg, redis

port, folder, cache = sys.argv[1:]
with open("pg_service.conf", "w") as file:
    file.write(f"[shop]\\nhost=127.0.0.1\\nport={port}\\ndbname=postgres\\n")
os.environ["PGSERVICEFILE"] = os.path.abspath("pg_service.conf")

def tried(dsn, **variables):
    os.environ.update(variables)
    try:
        psycopg.connect(dsn, connect_timeout=2, sslmode="disable").close()
    except psycopg.Error:
        pass
    for name in variables:
        del os.environ[name]

tried(f"host=db.prod.internal hostaddr=127.0.0.1 port={port} dbname=postgres")
tried("service=shop")
tried("dbname=postgres", PGHOST="127.0.0.1", PGPORT=port)
tried(f"host={folder} port={port} dbname=postgres")
subprocess.run(["curl", "-s", "-m", "2", f"http://127.0.0.1:{port}/"])
subprocess.run(["curl", "-s", "-m", "2", "--unix-socket", f"{folder}/.s.PGSQL.{port}", "http://shop/"])
try:
    redis.Redis(port=int(cache), socket_timeout=2).ping()
except redis.RedisError:
    pass
print("tried")
"""


@needs_namespace
def test_r50_drivers_in_c_children_unix_sockets_and_a_cache_that_is_up_reach_nobody(
    recorded: Recorded, tmp_path: Path, redis: RedisServer
) -> None:
    """The same program without a replay is the control: it is heard."""
    with honeypot() as (port, calls), unix_honeypot(tmp_path, port, calls):
        program = [sys.executable, "-c", WAYS, str(port), str(tmp_path), str(redis.port)]
        before = _connections(redis)
        replayed = run(["timetracer-otel", "exec", recorded.trace("/poll"), "--", *program], cwd=tmp_path)
        assert (replayed.stdout, list(calls)) == ("tried\n", []), replayed.stderr
        assert _connections(redis) == before + 1  # the one that asks
        done = run(program, cwd=tmp_path)
        assert (done.stdout, len(calls) >= 6) == ("tried\n", True), done.stderr
        assert _connections(redis) == before + 3


def _connections(server: RedisServer) -> int:
    """How many the server has accepted so far."""
    line = next(each for each in server.command("INFO", "stats").splitlines() if b"total_connections_received" in each)
    return int(line.partition(b":")[2])


@contextlib.contextmanager
def unix_honeypot(folder: Path, port: int, calls: list[str]) -> Iterator[None]:
    """Where libpq looks for a server on this machine."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / f".s.PGSQL.{port}"))
        server.listen()
        accepting = threading.Thread(target=_accept, args=(server, calls))
        accepting.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()


TALKING = """
import socket
socket.create_connection(("127.0.0.1", 6379), timeout=20).recv(1)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.9", 8125))
"""


@pytest.mark.skipif(not is_possible(), reason="this kernel gives us no network of our own")
def test_a_control_the_counter_under_which_all_examples_replay_counts_every_packet(tmp_path: Path) -> None:
    """See tests/there_and_back.py: there it must be zero."""
    seen = tmp_path / "seen.json"
    done = run(sealed(seen, [sys.executable, "-c", TALKING]))
    assert done.returncode == 0, done.stderr
    found = json.loads(seen.read_text())
    assert (found["called"], found["packets"] > 4) == ([6379], True)


# ---- with Python's guards only ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def honeypot() -> Iterator[tuple[int, list[str]]]:
    """A port of this process and the list of its calls; as long as the block runs."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=_accept, args=(server, calls))
        accepting.start()
        try:
            yield server.getsockname()[1], calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(server: socket.socket, calls: list[str]) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, address = server.accept()
            calls.append(str(address))
            caller.close()


def replay_guarded(recorded: Recorded, path: str, folder: Path, *options: str, **variables: str) -> Replayed:
    command = [sys.executable, "-c", REFUSING, "replay", recorded.trace(path), *options]
    return with_report(command, folder, variables)


def test_with_guards_only_a_server_on_loopback_sees_nothing(recorded: Recorded, tmp_path: Path) -> None:
    with honeypot() as (port, calls):
        url = f"postgresql://app@127.0.0.1:{port}/postgres"
        found = replay_guarded(recorded, "/payments", tmp_path, DATABASE_URL=url)
    assert (found.status, found.verdict, calls) == (0, "same", [])
    assert found.report["uncontrolled"] == ["native sockets"]


def test_with_guards_only_a_control_without_the_redirect_trips_the_honeypot(recorded: Recorded, tmp_path: Path) -> None:
    """libpq dials below Python: that is what the report means by native sockets."""
    with honeypot() as (port, calls):
        url = f"postgresql://app@127.0.0.1:{port}/postgres?connect_timeout=2"
        found = replay_guarded(recorded, "/payments", tmp_path, "--timeout", "8s", *WITHOUT_REDIRECT, DATABASE_URL=url)
    assert found.verdict != "same"
    assert calls != []
    assert found.report["uncontrolled"][0] == "native sockets"


# ---- whatever leaves is named ----------------------------------------------------------------------------------------


CALLS = ["resolve api.example", "connect 203.0.113.9:443", "send 203.0.113.9:8125"]


@needs_namespace
def test_names_tcp_and_udp_are_refused_at_once_and_named(recorded: Recorded, tmp_path: Path) -> None:
    """The app itself asserts that no call took a second, and hides that they failed."""
    found = replay(recorded.trace("/world"), tmp_path, REACH="1")
    _assert_named(found)
    assert found.report["uncontrolled"] == []


def test_with_guards_only_names_tcp_and_udp_are_refused_at_once_and_named(recorded: Recorded, tmp_path: Path) -> None:
    found = replay_guarded(recorded, "/world", tmp_path, REACH="1")
    _assert_named(found)
    assert found.report["uncontrolled"] == ["native sockets"]


def _assert_named(found: Replayed) -> None:
    assert (found.status, found.verdict, found.differences) == (1, "deviates", [])
    assert [miss["request"]["text"] for miss in found.report["misses"]] == CALLS
    assert {miss["frame"].partition(":")[0] for miss in found.report["misses"]} == {"tests/promises/app.py"}
