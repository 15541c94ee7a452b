"""Records one of the two services of notes on a real PostgreSQL, stops both, and replays every request.

Usage: notes.py NAME FOLDER, as `scripts/example NAME` does it. The folder is made anew and left for whoever wants to
look: it holds a copy of the service, and its cassettes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from demo import START_TIMEOUT_S, Unexpected, changed, environment, free_port, postgres, run, say
from demo import Browser as HttpBrowser
from example import traces, wait_until_it_listens
from wsproto import ConnectionType, WSConnection
from wsproto.events import CloseConnection, Request, TextMessage

HERE = Path(__file__).parent
NAMES = ("notes_fastapi", "notes_starlette")
REQUESTS: Sequence[tuple[str, str, object, int]] = (
    ("GET", "/notes/1", None, 200),
    ("POST", "/notes", "room=garden&text=+mow+the+lawn+", 201),
    ("GET", "/stream", None, 200),
    ("GET", "/notes/2", None, 500),
)
EVENTS = {
    "notes_starlette": ('yield f"id: {number}', 'yield f"key: {number}'),
    "notes_fastapi": ("yield f\"id: {note['id']}", "yield f\"key: {note['id']}"),
}
"""A change to the stream: what stands in the service, and what it becomes."""


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: notes.py {'|'.join(NAMES)} FOLDER")
    name, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / name, folder, ignore=shutil.ignore_patterns("__pycache__", "cassettes"))
    try:
        record(name, folder)
        replay(name, folder)
    except Unexpected as error:
        sys.exit(f"The example failed: {error}")
    print(f"\n--- All of it as expected. The service and its cassettes are in {os.path.relpath(folder)}.")


def record(name: str, folder: Path) -> None:
    say(f"1. {name} on a real PostgreSQL, recorded: requests, a stream, two WebSockets")
    with postgres() as url:
        run(folder, "python -m notes.db", DATABASE_URL=url)
        serve(name, folder, url)
    say("The service and PostgreSQL are stopped: only the cassettes are left")
    run(folder, "timetracer-otel list")


def serve(name: str, folder: Path, url: str) -> None:
    port, log = free_port(), folder / "uvicorn.log"
    command = f"opentelemetry-instrument uvicorn notes.web:app --port {port}"
    env = environment(DATABASE_URL=url, OTEL_SERVICE_NAME=name, OTEL_TRACES_EXPORTER="timetracer")
    print(f"$ OTEL_SERVICE_NAME={name} OTEL_TRACES_EXPORTER=timetracer {command}", flush=True)
    with log.open("wb") as output:
        process = subprocess.Popen(shlex.split(command), cwd=folder, env=env, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, port, log)
        for method, path, body, expected in REQUESTS:
            status = HttpBrowser(port).send(method, path, body)
            print(f"  {status}  {method} {path}", flush=True)
            if status != expected:
                raise Unexpected(f"{method} {path} gave {status} instead of {expected}")
        for rooms in (["garden", "attic"], ["garden", "kitchen"]):
            print(f"  {talk(port, rooms)}  /talk about {', '.join(rooms)}", flush=True)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def talk(port: int, rooms: Sequence[str]) -> int:
    """How many of them were answered; the service fails where a note has no author."""
    connection, answers = WSConnection(ConnectionType.CLIENT), 0
    with socket.create_connection(("127.0.0.1", port), START_TIMEOUT_S) as link:
        link.sendall(connection.send(Request(host=f"127.0.0.1:{port}", target="/talk")))
        waiting = list(rooms)
        while data := link.recv(64 * 1024):
            connection.receive_data(data)
            for event in connection.events():
                answers += isinstance(event, TextMessage)
                if isinstance(event, CloseConnection):
                    return answers
                link.sendall(connection.send(TextMessage(waiting.pop(0)) if waiting else CloseConnection(1000)))
    return answers


def replay(name: str, folder: Path) -> None:
    say("2. Each of them again, offline: what failed fails as it did, the streams and the WebSockets say the same")
    run(folder, "timetracer-otel replay --all")
    say("3. The stream with a change to the service: the report names the line")
    (stream,) = traces(folder, "--entry", "GET /stream")
    with changed(folder / "notes" / "web.py", *EVENTS[name]):
        run(folder, f"timetracer-otel replay {stream}", expected=1)


if __name__ == "__main__":
    main()
