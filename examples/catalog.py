"""Records the service in catalog_pymongo on SecantusDB, which speaks MongoDB's protocol; stops both, and replays.

Usage: catalog.py web|web_async FOLDER, as `scripts/example catalog_pymongo` does it with `web`. The folder is made anew
and left for whoever wants to look: it holds a copy of the service, and its cassettes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import START_TIMEOUT_S, Browser, Unexpected, environment, free_port, run, say
from example import traces, wait_until_it_listens

SERVICE = Path(__file__).parent / "catalog_pymongo"
REQUESTS = (
    ("GET", "/products/MUG-01", 200),
    ("GET", "/products/NONE", 404),
    ("POST", "/products/POT-03/sales", 201),
    ("POST", "/products/POT-03/sales", 409),
    ("GET", "/products", 200),
    ("GET", "/products/POT-03", 500),
)
OPTIONS = "retryWrites=true&w=majority"
"""As in production's address: they are part of each command."""
ALONE = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "aiobotocore,asyncpg,botocore,celery,psycopg,redis,starlette"}
"""What may be installed beside it and is not used here: each start is faster without."""
SERVER = """
import sys
from secantus import SecantusDBServer
with SecantusDBServer(storage_path=sys.argv[1]) as server:
    print(server.uri, flush=True)
    sys.stdin.read()
"""


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ("web", "web_async"):
        sys.exit("usage: catalog.py web|web_async FOLDER")
    module, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SERVICE, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        record(module, folder)
        replay(folder)
    except Unexpected as error:
        sys.exit(f"The example failed: {error}")
    print(f"\n--- All of it as expected. The service and its cassettes are in {os.path.relpath(folder)}.")


def record(module: str, folder: Path) -> None:
    say("1. catalog_pymongo on a server that speaks MongoDB's protocol, recorded")
    with mongo(folder) as uri:
        run(folder, "python -m catalog.db", MONGODB_URI=uri)
        with service(module, folder, uri) as browser:
            for method, path, expected in REQUESTS:
                status = browser.send(method, path, None)
                print(f"  {status}  {method} {path}", flush=True)
                if status != expected:
                    raise Unexpected(f"{method} {path} gave {status} instead of {expected}")
    say("The service and the server are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")


def replay(folder: Path) -> None:
    say("2. The product that failed, offline, under production's mongodb+srv address: it fails as it did")
    (failed,) = traces(folder, "--errors")
    run(folder, f"timetracer-otel show {failed}")
    run(folder, f"timetracer-otel replay {failed}", **ALONE)
    say("3. All others")
    for trace in traces(folder):
        if trace != failed:
            run(folder, f"timetracer-otel replay {trace}", **ALONE)


@contextmanager
def mongo(folder: Path) -> Iterator[str]:
    """The address of a server that runs as long as the block does."""
    command = [sys.executable, "-c", SERVER, str(folder / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            uri = server.stdout.readline().strip()
            if not uri:
                raise Unexpected("SecantusDB did not start")
            yield f"{uri}?{OPTIONS}"
        finally:
            server.kill()


@contextmanager
def service(module: str, folder: Path, uri: str) -> Iterator[Browser]:
    """A browser for the service, which runs as long as the block does."""
    port = free_port()
    command = f"opentelemetry-instrument uvicorn catalog.{module}:app --port {port}"
    env = environment(MONGODB_URI=uri, OTEL_SERVICE_NAME="catalog", OTEL_TRACES_EXPORTER="timetracer", **ALONE)
    print(f"$ OTEL_SERVICE_NAME=catalog OTEL_TRACES_EXPORTER=timetracer {command}", flush=True)
    log = folder / "uvicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, port, log)
        yield Browser(port)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


if __name__ == "__main__":
    main()
