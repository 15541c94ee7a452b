"""R26, faults of the machine under a real service: it answers as ever, and recording says what it lost and goes on.

The store's file system is one of its own, in a mount namespace. A disk that hangs and hooks that raise are made in
Python (`tests.promises.faulty`), a clock that jumps by libfaketime; all else is the kernel's doing.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import pytest

from tests.demonstration import ROOT
from tests.launching import LAUNCHER, free_port, instrumented
from tests.launching import recording as environment
from tests.promises.running import TIMEOUT_S, cassettes, replay
from tests.promises.serving import until
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cli.running import run
from timetracer_otel.diagnosis import diagnose

pytestmark = pytest.mark.postgres

OWN_MOUNTS: Final = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT: Final = 'mount -t tmpfs -o size=16m,nr_inodes=400 none "$0" && exec "$@"'
LARGE: Final = 3 * 1024 * 1024
REQUESTS: Final = ("orders", "large", "orders", "orders")
"""While there is a fault; one more follows when it is gone."""
EACH: Final = len(REQUESTS) + 1

Answer = tuple[int, bytes]


@dataclass(frozen=True, slots=True)
class Fault:
    """`counted` is what the traces that are written say to be lost, `lines` how our lines in the log begin."""

    counted: Mapping[str, int]
    lines: tuple[str, ...] = ()
    are_written: bool = False
    """The traces of the requests while it lasts."""


# Four parts, and the way to disk of the large answer. What they need was loaded when the server started.
FAULTS: Final = {
    "no descriptor left": Fault(
        {"guard.store.EMFILE": 5, "part": 4}, ("store.EMFILE failed (OSError: [Errno 24] Too many open files: ",)
    ),
    "a store that is deleted": Fault({}, are_written=True),
    "a full disk": Fault({"guard.store.free_min": 5, "free_min": 4}, ("store.free_min failed (StoreFull: ",)),
    "a disk without inodes": Fault(
        {"guard.store.ENOSPC": 5, "part": 4}, ("store.ENOSPC failed (OSError: [Errno 28] No space left on device: ",)
    ),
    "a mount that is read only": Fault(
        {"guard.store.EROFS": 5, "part": 4}, ("store.EROFS failed (OSError: [Errno 30] Read-only file system: ",)
    ),
    "a disk that hangs": Fault({}, are_written=True),
    "hooks that raise": Fault(
        {"guard.psycopg": 3, "guard.asgi": 4},
        tuple(f"{tap} failed (RuntimeError: made to fail)" for tap in ("asgi", "psycopg")),
        are_written=True,
    ),
}
FIRST, LAST, HANGS = "no descriptor left", "hooks that raise", "a disk that hangs"


def refusal() -> str | None:
    """Why nothing can be mounted here; None if it can."""
    if shutil.which(OWN_MOUNTS[0]) is None:
        return "there is no unshare here"
    command = [*OWN_MOUNTS, "sh", "-c", MOUNT, "/mnt", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"nothing can be mounted here: {done.stderr.strip()}"


REFUSAL: Final = refusal()


class Client:
    """One connection, as long as the service runs."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def is_in(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            self._connection.connect()
            return True
        return False

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str, **query: str) -> Answer:
        self._connection.request("GET", f"{quote(path)}?{urlencode(query)}")
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def tell(self, path: str, **query: str) -> None:
        assert self.get(f"/control/{path}", **query) == (200, b"")


@contextlib.contextmanager
def serving(folder: Path, *prefix: str, **variables: str) -> Iterator[Client]:
    """It records into `disk/store`; what it says goes into `log`."""
    port, options = free_port(), ("--log-level", "warning", "--timeout-keep-alive", str(TIMEOUT_S))
    command = [*prefix, *LAUNCHER, sys.executable, "-m", "uvicorn", "tests.promises.faulty:app", *options]
    env = environment(
        folder / "disk" / "store",
        **instrumented("psycopg", "starlette"),
        PYTHONPATH=str(ROOT),
        OTEL_PYTHON_STARLETTE_EXCLUDED_URLS="control",
        TIMETRACER_FREE_MIN="0",
        **variables,
    )
    (folder / "disk").mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--port", str(port)], cwd=folder, env=env, stderr=log)
    client = Client(port)
    try:
        until(lambda: client.is_in() or process.poll() is not None, "nobody listens")
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(TIMEOUT_S)


def expected(path: str, number: int) -> Answer:
    if path == "large":
        return 200, b"%07d\n" % number * (LARGE // 8)
    return 200, json.dumps({"id": number, "said": f"order {number} is paid"}, separators=(",", ":")).encode()


def numbered(store: Path) -> dict[int, tuple[Cassette, Segment]]:
    """By the number that was asked for; the oldest first."""
    found = {}
    for cassette, segment in cassettes(store):
        assert segment.root is not None
        target = str(segment.root.attributes["http.target"])
        found[int(target.partition("?")[0].rpartition("/")[2])] = cassette, segment
    return found


def same(cassette: Cassette, folder: Path) -> None:
    again = replay(cassette.path, folder, "--app", "tests.promises.faulty:app")
    assert (again.status, again.verdict) == (0, "same"), again.output


# ---- faults of the disk and of the process ---------------------------------------------------------------------------


def go_through_faults(client: Client, folder: Path) -> None:
    """The store is copied after the first one, before it is deleted, and in the end."""
    numbers = itertools.count()
    for name in FAULTS:
        client.tell(f"broken/{name}")
        for path in REQUESTS:
            ask(client, path, next(numbers))
        client.tell("mended", **({"waits": "1"} if name == HANGS else {}))
        ask(client, "orders", next(numbers))
        if name in (FIRST, LAST):
            client.tell("copied", to=str(folder / name))


def ask(client: Client, path: str, number: int, **query: str) -> None:
    assert client.get(f"/{path}/{number}", **query) == expected(path, number)


@pytest.mark.skipif(REFUSAL is not None, reason=str(REFUSAL))
def test_r26_a_service_answers_under_every_fault_and_what_it_loses_is_said_once_and_counted(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with serving(tmp_path, *OWN_MOUNTS, "sh", "-c", MOUNT, str(tmp_path / "disk"), DSN=postgres.dsn) as client:
        go_through_faults(client, tmp_path)
    assert_said_once((tmp_path / "log").read_text())
    found = numbered(tmp_path / FIRST) | numbered(tmp_path / LAST)
    for number, (name, fault) in enumerate(FAULTS.items()):
        assert_counted(name, fault, {each: found.get(number * EACH + each) for each in range(EACH)})
    assert_doctor_counts(tmp_path / LAST, list(FAULTS.values())[1:])
    assert [path for path in (tmp_path / LAST).rglob("*") if is_litter(path)] == []
    same(found[list(FAULTS).index("a store that is deleted") * EACH][0], tmp_path)


def assert_said_once(log: str) -> None:
    lines = [line.removeprefix("timetracer: ") for line in log.splitlines() if " failed (" in line]
    beginnings = [each for fault in FAULTS.values() for each in fault.lines]
    assert [each for line, each in zip(lines, beginnings, strict=True) if not line.startswith(each)] == [], log


def assert_counted(name: str, fault: Fault, found: Mapping[int, tuple[Cassette, Segment] | None]) -> None:
    """The last one follows when the fault is gone."""
    written = {number: one[1] for number, one in found.items() if one is not None}
    assert list(written) == (list(range(EACH)) if fault.are_written else [EACH - 1]), name
    dropped = sum((Counter(segment.dropped) for segment in written.values()), Counter[str]())
    assert dropped == fault.counted, name
    assert is_whole(written[EACH - 1])


def is_whole(segment: Segment) -> bool:
    found = [(each.type, each.complete, each.dropped) for each in segment.exchanges]
    return segment.complete and found == [("http.server", True, None), ("db.query", True, None)]


def assert_doctor_counts(store: Path, faults: Sequence[Fault]) -> None:
    environ = {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store)}
    (losses,) = [finding.text for finding in diagnose(environ) if finding.topic == "losses"]
    counted = sum((Counter(fault.counted) for fault in faults), Counter[str]())
    assert losses.partition(": ")[2] == ", ".join(f"{reason} {count}" for reason, count in sorted(counted.items()))


def is_litter(path: Path) -> bool:
    """What a write that failed could leave behind: `pending/` has the lock of the process, which lived still."""
    return path.name.endswith(".tmp") or (path.is_dir() and not any(path.iterdir()))


# ---- clocks ----------------------------------------------------------------------------------------------------------


def faketime() -> str | None:
    """The library; its threads' variant, since a server has some."""
    return next(map(str, Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


JUMPS: Final = ("+0", "-2h", "-2h", "+400d", "+400d", "-30y", "+0")
"""What the clock shows beside the right time, from the middle of each request on."""


@pytest.mark.skipif(faketime() is None, reason="libfaketime is not installed")
def test_r26_a_clock_that_jumps_in_the_middle_of_requests_changes_nothing_but_times(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "disk" / "store"
    # The service sets FAKETIME. Clocks that are set go on ticking where intervals are measured.
    variables = {
        "FAKETIME": JUMPS[0],
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with serving(tmp_path, "env", f"LD_PRELOAD={faketime()}", DSN=postgres.dsn, **variables) as client:
        for number, jump in enumerate(JUMPS):
            ask(client, "orders", number, clock=jump)
    assert "failed (" not in (tmp_path / "log").read_text()
    found = numbered(store)
    assert sorted(found) == list(range(len(JUMPS)))
    assert all(is_whole(segment) for _, segment in found.values())
    hours = [round(took_ns(found[number][1]) / 3.6e12) for number in sorted(found)]
    assert hours == [0, -2, 0, 400 * 24 + 2, 0, -(30 * 365 + 400) * 24, 30 * 365 * 24], hours
    backwards = found[5][0]
    same(backwards, tmp_path)
    for command in (["list"], ["list", "--json"], ["show", backwards.path], ["timeline", backwards.path]):
        assert run([*command, "--store", str(store)]) == 0, capsys.readouterr()
        assert backwards.trace_id[:8] in capsys.readouterr().out


def took_ns(segment: Segment) -> int:
    assert segment.root is not None
    return segment.root.end_ns - segment.root.start_ns
