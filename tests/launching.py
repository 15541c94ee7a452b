"""Real processes under OpenTelemetry's launcher."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LAUNCHER = (
    sys.executable,
    "-c",
    "from opentelemetry.instrumentation.auto_instrumentation import run; run()",
)
TIMEOUT_S = 120
OFF = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
INSTRUMENTORS = (
    *("aiobotocore", "aiohttp-client", "asyncpg", "botocore", "celery", "fastapi", "httpx", "httpx2", "psycopg"),
    *("pymongo", "redis", "requests", "starlette", "urllib", "urllib3"),
)


def instrumented(*names: str) -> dict[str, str]:
    """No other instrumentor is loaded: the import of all is two thirds of the time that a process takes to start."""
    return {OFF: ",".join(name for name in INSTRUMENTORS if name not in names)}


def without_what_is_off(text: str) -> str:
    """What a process said beside the line that names the instrumentors which are not loaded."""
    return re.sub(rf"timetracer: {OFF} switches off [^\n]*\n", "", text)


SPARED = instrumented("asyncpg", "psycopg", "starlette")


def environment(**variables: str) -> dict[str, str]:
    """That of this process without OpenTelemetry's and our variables, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "TIMETRACER_"))}
    return {**kept, **variables}


def recording(store: Path, **variables: str) -> dict[str, str]:
    """An environment in which the launcher records into `store`."""
    wanted = {"OTEL_TRACES_EXPORTER": "timetracer", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    return environment(**{**wanted, "TIMETRACER_STORE": str(store), **variables})


def launch(code: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs Python code to its end under the launcher."""
    command = [*LAUNCHER, sys.executable, "-c", code]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def uvicorn(app: str, cwd: Path, env: dict[str, str], *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server under the launcher that answers already, and its URL. Killed in the end if it still runs."""
    port = free_port()
    command = [*LAUNCHER, sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", *options]
    with subprocess.Popen(command, cwd=cwd, env=env) as server:
        try:
            _wait_for(port)
            yield server, f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def get(url: str, paths: Sequence[str]) -> list[bytes]:
    """The bodies."""
    bodies = []
    for path in paths:
        with urllib.request.urlopen(url + path, timeout=TIMEOUT_S) as answer:
            bodies.append(answer.read())
    return bodies


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nobody listens on {port}")
