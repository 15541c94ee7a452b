"""A real worker that records, clients that publish, and the command line that replays each task on its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import started
from tests.demonstration import environment
from tests.launching import instrumented
from tests.servers.redis import RedisServer
from timetracer_otel.cassette import Cassette, Exchange, Segment
from timetracer_otel.replay.library import entry_of
from timetracer_otel.store import Store

TIMEOUT_S = 90.0
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
LOADED = instrumented("celery", "starlette")
RECORDING = {"OTEL_TRACES_EXPORTER": "timetracer", "C_FORCE_ROOT": "1", **LOADED, **QUIET}
WORKER = ("celery", "-A", "payments", "worker", "--without-gossip", "--without-mingle", "-l", "INFO")
INSTRUMENT = "opentelemetry-instrument"
AT_A_TIME = 2


def until(is_true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline, f"{what}: not within {TIMEOUT_S:.0f} s"
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Replayed:
    status: int
    report: dict[str, Any]
    output: str

    @property
    def findings(self) -> tuple[Any, ...]:
        """All that makes it deviate."""
        differences = [each["path"] for each in self.report["outcome"]["differences"]]
        misses = [each["request"]["text"] for each in self.report["misses"]]
        unused = [each["text"] for each in self.report["unused"]]
        return differences, misses, unused


@dataclass(frozen=True, slots=True)
class Payments:
    """`folder` holds the application and what was recorded of it."""

    folder: Path
    servers: dict[str, str] = field(default_factory=dict)
    """BROKER and BACKEND, while it is recorded."""

    @classmethod
    def at(cls, folder: Path, **servers: str) -> Payments:
        for name in ("payments.py", "ways.py"):
            shutil.copy(Path(__file__).with_name(name), folder)
        return cls(folder, servers)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def environment(self, **more: str) -> dict[str, str]:
        home = {"HOME": str(self.folder), "PYTHONPATH": str(self.folder)}
        return dict(environment(TIMETRACER_STORE=str(self.store), **home, **more))

    # ---- recording ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def worker(self, *options: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """While the block runs; asked to stop at its end, and not asked again."""
        command = [INSTRUMENT, *WORKER, *(options or ("-c", "2"))]
        env = self.environment(**{**RECORDING, **self.servers, **variables})
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until(lambda: "ready." in self.log or process.poll() is not None, "a worker")
            assert process.poll() is None, self.log
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def client(self, code: str, is_traced: bool = False, **variables: str) -> str:
        """What a program printed that has `from payments import *`; it publishes and waits."""
        recorder = {**RECORDING, **self.servers, **variables} if is_traced else {**self.servers, **variables}
        prefix = [INSTRUMENT] if is_traced else []
        done = subprocess.run(
            [*prefix, sys.executable, "-c", f"from payments import *\n{code}"],
            cwd=self.folder,
            env=self.environment(**recorder),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ---- what was recorded -------------------------------------------------------------------------------------------

    def cassettes(self) -> list[Cassette]:
        # While it is being recorded, a trace has its folder before it has its first part.
        folders = [path for path in self.store.glob("*") if len(path.name) == 32 and any(path.glob("[!.]*"))]
        return [Store(str(self.store)).open_cassette(path.name)[0] for path in sorted(folders)]

    def segments(self, task: str = "") -> list[Segment]:
        """Of this task, or of all, the earliest first."""
        found = [segment for cassette in self.cassettes() for segment in cassette.segments if segment.entry is not None]
        named = [each for each in found if each.entry and (not task or each.entry.name == f"run/payments.{task}")]
        return sorted(named, key=lambda each: each.root.start_ns if each.root else 0)

    def states(self) -> dict[str, list[str]]:
        """Of each task, how its runs ended, the earliest first."""
        found: dict[str, list[str]] = {}
        for segment in self.segments():
            run = entry(segment)
            found.setdefault(run.signature.url.removeprefix("payments."), []).append(str(run.result.get("state")))
        return found

    def failed(self, task: str) -> Segment:
        """The run of this task that failed."""
        (segment,) = [each for each in self.segments(task) if each.entry and each.entry.outcome.startswith("FAILURE")]
        return segment

    def changed(self, folder: Path, old: str, new: str) -> Payments:
        """The same recording with other code."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        code = folder / "payments.py"
        assert code.read_text().count(old) == 1
        code.write_text(code.read_text().replace(old, new))
        return Payments(folder)

    # ---- replay ------------------------------------------------------------------------------------------------------

    def replay(self, segment: Segment, *options: str, **variables: str) -> Replayed:
        """In a process of its own; its servers are gone, and it is told of none."""
        report = self.folder / f"{segment.id}.json"
        report.unlink(missing_ok=True)
        name = f"{segment.trace_id}/{segment.id}"
        done = subprocess.run(
            ["timetracer-otel", "replay", name, "--json", str(report), *options],
            cwd=self.folder,
            env=self.environment(**{**LOADED, **variables}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        found = json.loads(report.read_text()) if report.exists() else {}
        return Replayed(done.returncode, found, done.stdout + done.stderr)

    def run(self, *command: str, typed: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """As a user types it in the folder; `typed` is what the command is told then."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(**{**QUIET, **LOADED, **variables}),
            input=typed,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def replay_all(self, segments: Sequence[Segment], **variables: str) -> dict[str, Replayed]:
        """By segment id, two at a time."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            done = pool.map(lambda each: self.replay(each, **variables), segments)
            return {segment.id: replayed for segment, replayed in zip(segments, done, strict=True)}


def recorded_on_redis(folder: Path, client: str, ended: Mapping[str, int]) -> Payments:
    """What the client sent to a worker, once so many runs of each task have ended. Its Redis has been stopped."""
    redis = started(RedisServer)
    try:
        payments = Payments.at(folder, BROKER=redis.url(), BACKEND=redis.url(1))
        with payments.worker("-c", "2", NOTES=str(folder / "notes")):
            payments.client(client)
            until(lambda: {task: len(payments.segments(task)) for task in ended} == ended, "all tasks")
    finally:
        redis.stop()
    return payments


def entry(segment: Segment) -> Exchange:
    found = entry_of(segment)
    assert found is not None
    return found
