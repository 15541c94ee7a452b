"""R40: bodies without end beside a memory limit. What is too large passes through, and the recording says so."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.demonstration import ROOT, environment
from tests.launching import free_port
from tests.promises import large
from tests.promises.running import cassettes, recording, replay
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.cassette.model import Exchange
from timetracer_otel.drivers.asgi.body import CHUNKS_MAX

MIB: Final = 1024 * 1024
LIMIT_MIB: Final = 300
CLIENTS: Final = 10
TIMEOUT_S: Final = 120.0


pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def peak_mib(self) -> float:
        """The most that was in memory at any time (VmHWM).

        Not RLIMIT_AS, which counts addresses: each thread of Python takes eight megabytes of those and touches few.
        """
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def pull(self, path: str, mib_per_s: float = 0) -> str:
        """SHA-256 of the answer, read no faster than that."""
        digest, size, began = hashlib.sha256(), 0, time.monotonic()
        with self._asked("GET", path) as response:
            while piece := response.read(large.PIECE):
                digest.update(piece)
                size += len(piece)
                if mib_per_s:
                    time.sleep(max(0.0, began + size / MIB / mib_per_s - time.monotonic()))
        return digest.hexdigest()

    def push(self, path: str, body: Iterable[bytes], size: int) -> bytes:
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        with self._asked("POST", path, body, headers) as response:
            return response.read()

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: Iterable[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            assert response.status == 200
            yield response
        finally:
            connection.close()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Stopped by SIGTERM, as a deployment does it: what was recorded is on disk afterwards."""
    port = free_port()
    command = ["opentelemetry-instrument", "uvicorn", "tests.promises.large:app", "--port", str(port)]
    env = {**environment(PYTHONPATH=str(ROOT)), **recording(folder / "store")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--no-access-log"], cwd=ROOT, env=env, stdout=log, stderr=log)
    server = Server(port, process)
    try:
        _wait_for(server, folder / "log")
        yield server
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
    assert (folder / "log").read_text().count("timetracer") == 0, (folder / "log").read_text()


def _wait_for(server: Server, log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), server._asked("GET", "/events/1"):
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _written_mib_per_s(server: Server, folder: Path, mib: int) -> float:
    """What this machine writes of one answer, from the request to its cassette."""
    path, began = f"/digits/{CLIENTS}/{mib}", time.monotonic()
    server.pull(path)
    while path not in recorded(folder):
        assert time.monotonic() < began + TIMEOUT_S
        time.sleep(0.05)
    return mib / (time.monotonic() - began)


def digest_of(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def recorded(folder: Path) -> dict[str, tuple[Cassette, Segment, Exchange]]:
    """By path."""
    found = {}
    for cassette, segment in cassettes(folder / "store"):
        (exchange,) = segment.exchanges
        found[str(exchange.request["path"])] = cassette, segment, exchange
    return found


def body_of(exchange: Exchange) -> list[bytes]:
    """The chunks of the answer."""
    chunks: Any = exchange.result["body"]
    return [chunk for _, chunk in chunks]


@pytest.mark.long
def test_r40_a_limit_of_300_mb_holds_while_large_bodies_pass_and_replay_says_what_was_cut(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    mib = 67 + rounds(133)
    paths = {f"/noise/{seed}/{mib}": digest_of(large.noise(seed, mib)) for seed in range(CLIENTS)}
    body = partial(large.noise, CLIENTS, mib)
    with serving(tmp_path) as server, ThreadPoolExecutor(CLIENTS + 1) as pool:
        pushed = pool.submit(server.push, "/upload", body(), mib * MIB)
        assert list(pool.map(server.pull, paths)) == list(paths.values())
        assert digest_of(body()).encode() in pushed.result()
        peak_mib = server.peak_mib
    assert peak_mib < LIMIT_MIB
    found = recorded(tmp_path)
    cut = {path: dict(found[path][2].dropped or {}) for path in (*paths, "/upload")}
    assert {path for path, dropped in cut.items() if dropped.get("reason") in ("limit", "in_flight")} == set(cut)
    assert [dropped["size"] for dropped in cut.values()] == [mib * MIB] * (CLIENTS + 1)
    for path in ("/upload", next(iter(paths))):
        again = replay(found[path][0].path, tmp_path)
        assert (again.status, again.verdict) == (3, "inconclusive")
        assert f"without its payload ({mib * MIB} bytes): {cut[path]['reason']}" in again.output


@pytest.mark.long
def test_r40_large_answers_below_the_limit_are_kept_on_disk_and_replay(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    """The clients read slowly enough for the disk: what it has not taken is in memory, and some would be left out."""
    mib = 10 + rounds(30)
    paths = {f"/digits/{seed}/{mib}": digest_of(large.digits(seed, mib)) for seed in range(CLIENTS)}
    with serving(tmp_path) as server, ThreadPoolExecutor(CLIENTS) as pool:
        pull = partial(server.pull, mib_per_s=_written_mib_per_s(server, tmp_path, mib) / 2 / CLIENTS)
        assert list(pool.map(pull, paths)) == list(paths.values())
        peak_mib = server.peak_mib
    assert peak_mib < LIMIT_MIB
    found = recorded(tmp_path)
    kept = {path: body_of(found[path][2]) for path in paths}
    assert {path: digest_of(chunks) for path, chunks in kept.items()} == paths
    assert {len(chunk) for chunks in kept.values() for chunk in chunks} == {large.PIECE}
    assert len(list((tmp_path / "store" / "blobs").iterdir())) > CLIENTS
    cassette = found[next(iter(paths))][0]
    again = replay(cassette.path, tmp_path)
    assert (again.status, again.verdict) == (0, "same")
    changed = replay(cassette.path, tmp_path, **{large.FLIPPED: "1"})
    assert (changed.status, changed.verdict) == (1, "deviates")
    assert [each["path"] for each in changed.differences] == [f"body[{101 * large.PIECE - 1}]", "body.sha256"]


def test_r40_json_too_large_to_be_redacted_passes_and_is_named_beside_some_that_is_not(tmp_path: Path) -> None:
    """Ten at once are more than may be in memory: some of those that could be kept are not, and say so."""
    paths = {f"/records/{seed}/{mib}": large.records(seed, mib) for seed in range(5) for mib in (12, 17)}
    digests, alone = {path: digest_of(pieces) for path, pieces in paths.items()}, "/records/9/17"
    size = sum(map(len, large.records(9, 17)))
    with serving(tmp_path) as server, ThreadPoolExecutor(CLIENTS) as pool:
        assert server.pull(alone) == digest_of(large.records(9, 17))
        assert list(pool.map(server.pull, digests)) == list(digests.values())
        peak_mib = server.peak_mib
    assert peak_mib < LIMIT_MIB
    found = recorded(tmp_path)
    reasons = {path: (found[path][2].dropped or {}).get("reason") for path in paths}
    assert {reason for path, reason in reasons.items() if path.endswith("17")} <= {"unredactable", "in_flight"}
    assert {reason for path, reason in reasons.items() if path.endswith("12")} <= {None, "in_flight"}
    again = replay(found[alone][0].path, tmp_path)
    assert (again.status, again.verdict) == (3, "inconclusive")
    assert f"without its payload ({size} bytes): unredactable" in again.output


@pytest.mark.long
def test_r40_streams_of_events_at_full_speed_are_kept_in_bounded_memory(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    streams, count = 1 + rounds(10), 18_000 + rounds(30_000)
    path, sent = f"/events/{count}", digest_of(large.events(count))
    with serving(tmp_path) as server, ThreadPoolExecutor(streams) as pool:
        assert list(pool.map(server.pull, [path] * streams)) == [sent] * streams
        peak_mib = server.peak_mib
    assert peak_mib < LIMIT_MIB
    found = [each for each in cassettes(tmp_path / "store") if each[1].exchanges[0].request["path"] == path]
    assert len(found) == streams
    for _, segment in found:
        (exchange,) = segment.exchanges
        assert digest_of(body_of(exchange)) == sent
        assert exchange.result["body_chunks"] == count
        assert CHUNKS_MAX < len(body_of(exchange)) < CHUNKS_MAX + 100
    again = replay(found[0][0].path, tmp_path)
    assert (again.status, again.verdict) == (0, "same")
