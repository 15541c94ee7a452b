"""Records the service in thumbnails_boto3 on moto's server, which plays AWS; stops both, and replays what failed.

Usage: thumbnails.py FOLDER, as `scripts/example thumbnails_boto3` does it. The folder is made anew and left for whoever
wants to look: it holds a copy of the service, and its cassettes.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo import START_TIMEOUT_S, Unexpected, environment, free_port, run, say
from example import traces, wait_until_it_listens

SERVICE = Path(__file__).parent / "thumbnails_boto3"
GOOD = b"P2 4 2 255\n0 50 100 150 0 50 100 150"
NARROW = b"P2 0 2 255\n"  # nothing to see, and nobody has checked
REQUESTS = (
    ("PUT", "/pictures/cat.pgm", GOOD, 201),
    ("POST", "/work", b"", 200),
    ("GET", "/pictures/cat.pgm", b"", 200),
    ("GET", "/pictures/dog.pgm", b"", 404),
    ("PUT", "/pictures/slit.pgm", NARROW, 201),
    ("POST", "/work", b"", 500),
)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: thumbnails.py FOLDER")
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
    say("1. thumbnails_boto3 on moto's server, recorded")
    with aws(folder) as variables:
        run(folder, "python -m thumbnails.cloud", **variables)
        with service(folder, variables) as port:
            for method, path, body, expected in REQUESTS:
                status = send(port, method, path, body)
                print(f"  {status}  {method} {path}", flush=True)
                if status != expected:
                    raise Unexpected(f"{method} {path} gave {status} instead of {expected}")
    say("The service and the server are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")


def replay(folder: Path) -> None:
    say("2. The picture that failed, offline and without credentials: it fails as it did")
    (failed,) = traces(folder, "--errors")
    run(folder, f"timetracer-otel show {failed}")
    run(folder, f"timetracer-otel replay {failed}")
    say("3. The one that was made: all five services again")
    *_, made, _ = traces(folder)  # the newest first
    run(folder, f"timetracer-otel replay {made}")


@contextmanager
def aws(folder: Path) -> Iterator[dict[str, str]]:
    """moto's server; and the environment of an application that uses it in place of AWS."""
    port = free_port()
    log = folder / "moto.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "moto.server", "-p", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, port, log)
        url = f"http://127.0.0.1:{port}"
        settings = json.dumps({"lambda": {"use_docker": False}}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/config", settings, method="POST")).close()
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
        yield {"AWS_ENDPOINT_URL": url, **keys}
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


@contextmanager
def service(folder: Path, variables: dict[str, str]) -> Iterator[int]:
    """Its port, as long as the block lasts."""
    port = free_port()
    command = f"opentelemetry-instrument uvicorn thumbnails.web:app --port {port}"
    env = environment(OTEL_SERVICE_NAME="thumbnails", OTEL_TRACES_EXPORTER="timetracer", **variables)
    print(f"$ OTEL_SERVICE_NAME=thumbnails OTEL_TRACES_EXPORTER=timetracer {command}", flush=True)
    log = folder / "uvicorn.log"
    with log.open("wb") as output:
        process = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def send(port: int, method: str, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    with connection.getresponse() as response:
        response.read()
        return response.status


if __name__ == "__main__":
    main()
