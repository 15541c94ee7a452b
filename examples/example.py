"""Records one of the small services beside this file on a real PostgreSQL, stops both, and replays what failed.

Usage: example.py NAME FOLDER, as `scripts/example NAME` does it. The folder is made anew and left for whoever wants to
look: it holds a copy of the service, and its cassettes.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo import START_TIMEOUT_S, Browser, Unexpected, environment, free_port, postgres, run, say

HERE = Path(__file__).parent
WITH_VOUCHER = {"buyer": "ada", "lines": [{"sku": "MUG-01", "quantity": 1}], "voucher": "SPRING"}
TOO_MUCH_TEA = {"buyer": "ming", "lines": [{"sku": "MUG-01", "quantity": 1}, {"sku": "TEA-07", "quantity": 9}]}


@dataclass(frozen=True)
class Example:
    tables: str
    """The module that creates and fills them."""
    requests: Sequence[tuple[str, str, object, int]]
    """Each with the status that it must have."""


def requests(good: int, bad: int) -> Sequence[tuple[str, str, object, int]]:
    return (
        ("GET", f"/orders/{good}", None, 200),
        ("GET", f"/orders/{bad}", None, 500),
        ("GET", "/orders/9999", None, 404),
        ("POST", "/orders", WITH_VOUCHER, 201),
        ("POST", "/orders", TOO_MUCH_TEA, 500),
    )


EXAMPLES = {
    "orders_asyncpg": Example("orders.db", requests(1001, 1002)),
    "orders_sqlalchemy": Example("orders.models", requests(1, 2)),
}


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in EXAMPLES:
        sys.exit(f"usage: example.py {'|'.join(EXAMPLES)} FOLDER")
    name, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        record(name, folder)
        replay(folder)
    except Unexpected as error:
        sys.exit(f"The example failed: {error}")
    print(f"\n--- All of it as expected. The service and its cassettes are in {os.path.relpath(folder)}.")


def record(name: str, folder: Path) -> None:
    example = EXAMPLES[name]
    say(f"1. {name} on a real PostgreSQL, recorded")
    with postgres() as url:
        run(folder, f"python -m {example.tables}", DATABASE_URL=url)
        with service(name, folder, url) as browser:
            for method, path, body, expected in example.requests:
                status = browser.send(method, path, body)
                print(f"  {status}  {method} {path}", flush=True)
                if status != expected:
                    raise Unexpected(f"{method} {path} gave {status} instead of {expected}")
    say("The service and PostgreSQL are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")


def replay(folder: Path) -> None:
    say("2. What failed again, offline: each fails as it did")
    failed = traces(folder, "--errors")
    for trace in failed:
        run(folder, f"timetracer-otel replay {trace}")
    say("3. The order that was refused: its transaction, and its wait for a connection")
    run(folder, f"timetracer-otel timeline {failed[0]}")


def traces(folder: Path, *options: str) -> list[str]:
    """Prefixes of trace ids, the newest first."""
    command = ["timetracer-otel", "list", "--json", *options]
    listed = json.loads(subprocess.check_output(command, cwd=folder, env=environment()))
    return [str(each["trace_id"][:8]) for each in listed]


@contextmanager
def service(name: str, folder: Path, url: str) -> Iterator[Browser]:
    """A browser for the service, which runs as long as the block does."""
    port = free_port()
    command = f"opentelemetry-instrument uvicorn orders.web:app --port {port}"
    env = environment(DATABASE_URL=url, OTEL_SERVICE_NAME=name, OTEL_TRACES_EXPORTER="timetracer")
    print(f"$ OTEL_SERVICE_NAME={name} OTEL_TRACES_EXPORTER=timetracer {command}", flush=True)
    log = folder / "uvicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, port, log)
        yield Browser(port)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise Unexpected(f"the service does not answer:\n{log.read_text()}")


if __name__ == "__main__":
    main()
