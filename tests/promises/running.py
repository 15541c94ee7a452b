"""Programs under `opentelemetry-instrument` that record, and the command line that runs them again."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.demonstration import ROOT, environment
from tests.launching import SPARED, instrumented
from timetracer_otel.cassette import Cassette, Segment
from timetracer_otel.store import Store

TIMEOUT_S = 240
APP = "tests.promises.app:app"
OF_SERVICES = instrumented("psycopg", "starlette")
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


def run(
    command: Sequence[str], variables: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """As a user runs it: with nothing of OpenTelemetry's or ours in the environment but `variables`."""
    env = {**environment(PYTHONPATH=str(ROOT), **SPARED), **(variables or {})}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


# ---- recording -------------------------------------------------------------------------------------------------------


def recording(store: Path, **variables: str) -> dict[str, str]:
    return {"OTEL_TRACES_EXPORTER": "timetracer", "TIMETRACER_STORE": str(store), **QUIET, **variables}


def record_script(code: str, store: Path, *arguments: str, **variables: str) -> str:
    """What the program printed."""
    command = ["opentelemetry-instrument", sys.executable, "-c", code, *arguments]
    done = run(command, recording(store, **variables))
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def service(log: Path, **variables: str) -> Iterator[str]:
    """The URL of the application that `APP` names, else `tests.promises.app`, under uvicorn while the block runs."""
    port = _free_port()
    command = ["opentelemetry-instrument", "uvicorn", variables.get("APP", APP), "--port", str(port)]
    env = {**environment(PYTHONPATH=str(ROOT), **OF_SERVICES), **variables}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output)
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise AssertionError(f"the service does not start:\n{log.read_text()}")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def send(
    url: str, path: str, method: str = "GET", body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """A `body` of bytes goes as it is, any other as JSON."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kind = {} if data is None or isinstance(body, bytes) else {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}{path}", data, {**kind, **(headers or {})}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return Answer(response.status, response.getheaders(), response.read())


# ---- what was recorded -----------------------------------------------------------------------------------------------


def cassettes(store: Path) -> list[tuple[Cassette, Segment]]:
    """Each trace of one segment, the oldest first."""
    found = []
    for summary in reversed(Store(store).list_traces().traces):
        cassette, _ = Store(store).open_cassette(summary.trace_id)
        (segment,) = cassette.segments
        found.append((cassette, segment))
    return found


def only(store: Path) -> tuple[Cassette, Segment]:
    (found,) = cassettes(store)
    return found


# ---- replay ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Replayed:
    status: int
    report: Mapping[str, Any]
    output: str
    """What the program and we wrote to stdout and stderr; the report is not in it."""

    @property
    def verdict(self) -> str:
        return str(self.report["verdict"])

    @property
    def differences(self) -> list[Mapping[str, Any]]:
        return list(self.report["outcome"]["differences"])

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """Whatever makes it deviate and does not merely follow from another finding."""
        return findings(self.report)


def findings(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [*report["misses"], *report["outcome"]["differences"], *report["unused"]]
    return [each for each in found if not each.get("consequent")]


def replay(cassette: str | Path, folder: Path, *options: str, **variables: str) -> Replayed:
    """`timetracer-otel replay` in a process of its own; its report is read from a file in `folder`."""
    return with_report(["timetracer-otel", "replay", str(cassette), *options], folder, {**OF_SERVICES, **variables})


def execute(cassette: str | Path, folder: Path, *command: str) -> Replayed:
    """`timetracer-otel exec` of a program."""
    return with_report(["timetracer-otel", "exec", str(cassette)], folder, {}, ("--", *command))


def with_report(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], program: Sequence[str] = (), cwd: Path = ROOT
) -> Replayed:
    """Of a command that takes `--json`, before the program that it is to run."""
    file = folder / f"report-{time.monotonic_ns()}.json"
    done = run([*command, "--json", str(file), *program], variables, cwd)
    assert file.exists(), done.stdout + done.stderr
    return Replayed(done.returncode, json.loads(file.read_text()), done.stdout + done.stderr)
