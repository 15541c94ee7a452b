"""Records the service in payments_celery on a real Redis and PostgreSQL; stops all of it, and replays what failed.

Usage: payments.py FOLDER, as `scripts/example payments_celery` does it. The folder is made anew and left for whoever
wants to look: it holds a copy of the service, and its cassettes. Needs redis-server.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo import START_TIMEOUT_S, Browser, Unexpected, environment, free_port, postgres, run, say
from example import wait_until_it_listens

SERVICE = Path(__file__).parent / "payments_celery"
REQUESTS = ("/pay/7", "/pay/12345", "/totals")
TASKS = 8
"""Runs of tasks: two payments, one capture and its retry, and `totals` with its chord of two and their report."""
RECORDING = "OTEL_TRACES_EXPORTER=timetracer opentelemetry-instrument"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: payments.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SERVICE, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        record(folder)
        replay(folder)
    except Unexpected as error:
        sys.exit(f"The example failed: {error}")
    print(f"\n--- All of it as expected. The service and its cassettes are in {os.path.relpath(folder)}.")


def record(folder: Path) -> None:
    say("1. A web front and a worker on a real Redis and PostgreSQL, recorded")
    with ExitStack() as running:
        broker = running.enter_context(redis())
        servers = {"BROKER_URL": f"{broker}/0", "RESULT_URL": f"{broker}/1"}
        servers["DATABASE_URL"] = running.enter_context(postgres())
        run(folder, "python -m payments.tasks", **servers)
        worker = f"{RECORDING} celery -A payments.tasks worker -c 2 -l INFO"
        running.enter_context(process(folder, worker, "worker.log", servers))
        wait_for(lambda: "ready." in (folder / "worker.log").read_text(), "the worker")
        port = free_port()
        web = f"{RECORDING} uvicorn payments.web:app --port {port}"
        front = running.enter_context(process(folder, web, "web.log", servers))
        wait_until_it_listens(front, port, folder / "web.log")
        for path in REQUESTS:
            print(f"  {Browser(port).send('POST', path, None)}  POST {path}", flush=True)
        wait_for(lambda: len(ended(folder)) >= TASKS, "the tasks")
    say("Web front, worker, Redis and PostgreSQL are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")


def replay(folder: Path) -> None:
    say("2. The payment that failed, offline: it fails as it did, at the same line")
    for name, outcome in ended(folder).items():
        if outcome.startswith("FAILURE"):
            run(folder, f"timetracer-otel replay {name}")
    say("3. The attempt that was retried, on its own")
    for name, outcome in ended(folder).items():
        if outcome.startswith("RETRY"):
            run(folder, f"timetracer-otel replay {name}")


def ended(folder: Path) -> dict[str, str]:
    """Outcome of each run of a task, by the name of its segment."""
    command = ["timetracer-otel", "list", "--json"]
    listed = json.loads(subprocess.check_output(command, cwd=folder, env=environment()))
    segments = [(trace["trace_id"], each) for trace in listed for each in trace["segments"]]
    return {
        f"{trace_id}/{each['segment']}": each["entry"]["outcome"]
        for trace_id, each in segments
        if each["entry"]["type"] == "task.run"
    }


@contextmanager
def redis() -> Iterator[str]:
    """The address of a server that runs as long as the block does. Raises Unexpected where it is not installed."""
    if shutil.which("redis-server") is None:
        raise Unexpected("there is no redis-server; install it, under Debian by `apt-get install redis-server`")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.kill()


@contextmanager
def process(folder: Path, command: str, log: str, servers: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    print(f"$ {command}", flush=True)
    variables, *words = shlex.split(command)
    name, _, value = variables.partition("=")
    env = environment(**{name: value, "C_FORCE_ROOT": "1", **servers})
    with (folder / log).open("wb") as output:
        started = subprocess.Popen(words, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(START_TIMEOUT_S)


def wait_for(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_true():
        if time.monotonic() > deadline:
            raise Unexpected(f"{what} did not come up in {START_TIMEOUT_S} s")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
