"""Records the service in checkout with a payment API, a real Redis and a worker; stops all, and replays what failed.

Usage: checkout.py FOLDER, as `scripts/example checkout` does it. The folder is made anew and left for whoever wants to
look: it holds a copy of the service, and its cassettes. Needs redis-server.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo import START_TIMEOUT_S, Browser, Unexpected, environment, free_port, run, say
from example import wait_until_it_listens
from payments import RECORDING, ended, process, redis, wait_for

SERVICE = Path(__file__).parent / "checkout"
CARTS = {7: {"tea": 2, "pot": 1}, 12345: {"table": 1, "tea": 1}}


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: checkout.py FOLDER")
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SERVICE, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        api = record(folder)
        replay(folder, api)
    except Unexpected as error:
        sys.exit(f"The example failed: {error}")
    print(f"\n--- All of it as expected. The service and its cassettes are in {os.path.relpath(folder)}.")


def record(folder: Path) -> str:
    """The address of the payment API, which has stopped by then."""
    say("1. A checkout and a worker on a payment API and a real Redis, recorded")
    with ExitStack() as running:
        broker = running.enter_context(redis())
        api = running.enter_context(payment_api(folder))
        servers = {"BROKER_URL": f"{broker}/0", "STORE_URL": f"{broker}/2", "PAYMENT_API": api}
        fill(f"{broker}/2")
        worker = f"{RECORDING} celery -A checkout.tasks worker -c 1 -l INFO"
        running.enter_context(process(folder, worker, "worker.log", servers))
        wait_for(lambda: "ready." in (folder / "worker.log").read_text(), "the worker")
        port = free_port()
        front = f"{RECORDING} uvicorn checkout.web:app --port {port}"
        web = running.enter_context(process(folder, front, "web.log", servers))
        wait_until_it_listens(web, port, folder / "web.log")
        for order in CARTS:
            print(f"  {Browser(port).send('POST', f'/checkout/{order}', None)}  POST /checkout/{order}", flush=True)
        wait_for(lambda: len(ended(folder)) >= 1, "the task")
    say("Checkout, worker, payment API and Redis are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")
    return api


def replay(folder: Path, api: str) -> None:
    """A service of yours names its API as it did; this one was recorded against a stand-in, which it still names."""
    say("2. The checkout that failed, offline: it fails as it did, at the same line")
    run(folder, f"timetracer-otel show {failing(folder)}")
    run(folder, f"timetracer-otel replay {failing(folder)}", PAYMENT_API=api)
    say("3. The task of the other one, on its own")
    for name in ended(folder):
        run(folder, f"timetracer-otel replay {name}", PAYMENT_API=api)


def failing(folder: Path) -> str:
    """The trace id of the request that failed."""
    listed = json.loads(subprocess.check_output(["timetracer-otel", "list", "--json"], cwd=folder, env=environment()))
    outcomes = {trace["trace_id"]: [each["entry"]["outcome"] for each in trace["segments"]] for trace in listed}
    (found,) = [name for name, each in outcomes.items() if any(outcome.startswith("500") for outcome in each)]
    return str(found)


def fill(store: str) -> None:
    import redis as client

    with client.from_url(store) as connection:
        for order, cart in CARTS.items():
            connection.hset(f"cart:{order}", mapping=cart)


@contextmanager
def payment_api(folder: Path) -> Iterator[str]:
    """The address of a stand-in that runs as long as the block does."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "checkout.api:app", "--port", str(port), "--log-level", "warning"]
    with (folder / "api.log").open("wb") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as api:
        try:
            wait_until_it_listens(api, port, folder / "api.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            api.terminate()
            api.wait(START_TIMEOUT_S)


if __name__ == "__main__":
    main()
