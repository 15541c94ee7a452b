"""Processes of a small service, started by the commands of docs/servers.md, and what they left in the store."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.demonstration import ROOT, environment
from tests.launching import free_port
from tests.promises.running import OF_SERVICES, QUIET
from timetracer_otel.cassette import Segment
from timetracer_otel.store import Store

TIMEOUT_S = 120.0
CLIENTS = 6
SECTION = re.compile(r"^## ([^\n]+)\n[^#]*?^```sh\n([^\n]+)\n```$", re.MULTILINE)
COMMANDS: Mapping[str, str] = dict(SECTION.findall((ROOT / "docs" / "servers.md").read_text()))
"""The command of each section."""


def until(is_true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT_S:.0f} s"
        time.sleep(0.02)


def shop(folder: Path) -> Path:
    """`folder`, which holds a copy of the service's code that may be changed."""
    shutil.copytree(Path(__file__).parent / "shop", folder / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def variables(folder: Path, **more: str) -> dict[str, str]:
    """An environment in which `opentelemetry-instrument` records into `folder/store`, if the command asks for it."""
    home = str(folder)  # where gunicorn keeps a socket
    own = {"TIMETRACER_STORE": str(folder / "store"), "PYTHONFAULTHANDLER": "1", "HOME": home}
    return dict(environment(**{**own, **OF_SERVICES, **QUIET, **more}))


def start(command: str, folder: Path, log: Path, **more: str) -> subprocess.Popen[bytes]:
    """A line of a shell, which may begin with variables of its environment."""
    words = shlex.split(command)
    named = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    env = variables(folder, **named, **more)
    with log.open("wb") as output:
        return subprocess.Popen(
            words[len(named) :], cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """With what it has started and left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# ---- servers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> None:
        """Sends the signal, and waits for the end. Of a server that does not end, the log says where it stands."""
        self.process.send_signal(kind)
        try:
            self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGABRT)
            self.process.wait(TIMEOUT_S)
            raise AssertionError(f"the server does not end:\n{self.log}") from None

    def ask(self, numbers: Iterable[int], path: str = "orders") -> list[int]:
        """The process that answered each request. Several go out at a time, each on a connection of its own."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda number: self.get(number, path), numbers))

    def get(self, number: int, path: str = "orders") -> int:
        """The process that answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}/{number}", timeout=TIMEOUT_S) as response:
            answer = json.load(response)
        assert answer["id"] == number
        return int(answer["process"])

    def try_to_get(self, number: int) -> int | None:
        """None for a connection that was cut, as happens while a server changes its workers."""
        try:
            return self.get(number)
        except OSError:
            return None

    def answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        assert self.process.poll() is None, self.log
        return False


@contextlib.contextmanager
def serving(command: str, folder: Path, **more: str) -> Iterator[Server]:
    """A server that answers already, in a copy of the service; killed in the end if it still runs."""
    port = free_port()
    process = start(command.replace("8000", str(port)), shop(folder), folder / "server.log", **more)
    server = Server(process, port, folder)
    try:
        until(server.answers, "the server does not answer")
        yield server
    finally:
        kill(process)


class Load:
    """Requests without a pause, as long as the block runs, while something happens to the server."""

    def __init__(self, server: Server, first: int) -> None:
        self._server, self._numbers, self._over = server, itertools.count(first), threading.Event()
        self.sent: set[int] = set()
        self.answered: dict[int, int] = {}
        """The process by the number of the request, in the order of the answers."""
        self._clients = [threading.Thread(target=self._ask) for _ in range(2)]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for client in self._clients:
            client.join()

    def latest(self) -> set[int]:
        """The processes of the last answers."""
        return set(list(self.answered.values())[-20:])

    def _ask(self) -> None:
        while not self._over.is_set():
            number = next(self._numbers)
            self.sent.add(number)
            process = self._server.try_to_get(number)
            if process is not None:
                self.answered[number] = process


# ---- what was recorded -----------------------------------------------------------------------------------------------


def recorded(store: Path) -> list[list[Segment]]:
    """The segments of each trace. All are complete, nothing is there twice, and no process wrote for another."""
    listing = Store(store).list_traces()
    assert listing.problems == ()
    assert [trace.trace_id for trace in listing.traces if not trace.complete] == []
    traces = [list(Store(store).open_cassette(trace.trace_id)[0].segments) for trace in listing.traces]
    segments = [segment for trace in traces for segment in trace]
    assert_nothing_is_there_twice(segments)
    assert_one_writer_per_file(store, segments)
    return traces


def assert_nothing_is_there_twice(segments: Iterable[Segment]) -> None:
    spans = [(segment.trace_id, span.span_id) for segment in segments for span in segment.spans]
    exchanges = [exchange.id for segment in segments for exchange in segment.exchanges]
    assert len(set(spans)) == len(spans)
    assert len(set(exchanges)) == len(exchanges)


def assert_one_writer_per_file(store: Path, segments: Iterable[Segment]) -> None:
    """Each process has an id of its own, and each part was written by the process that its name says."""
    processes = {segment.process.id: segment.process.pid for segment in segments}
    assert len(set(processes.values())) == len(processes)
    written = {(segment.trace_id, f"{segment.id}-{segment.process.id[:8]}") for segment in segments}
    parts = [path for path in store.glob("*/*.json.zst") if re.fullmatch("[0-9a-f]{32}", path.parent.name)]
    assert {(path.parent.name, path.name.partition(".")[0]) for path in parts} == written


def requests(store: Path) -> list[tuple[int, Segment]]:
    """The number that each request asked for, in order; each is a trace of one segment."""
    segments = [segment for (segment,) in recorded(store)]
    return sorted(((number_of(segment), segment) for segment in segments), key=lambda found: found[0])


def number_of(segment: Segment) -> int:
    assert segment.root is not None
    path = segment.root.attributes.get("url.path") or segment.root.attributes["http.target"]
    return int(str(path).rpartition("/")[2])
