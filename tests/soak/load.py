"""Requests, the same for each service: a plan is a list of them, and several clients go through it."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

CLIENTS: Final = 4
PAUSE_S: Final = 0.02
"""Of each client between two requests: the processor is to have time left, or the load itself is what makes it late."""
TIMEOUT_S: Final = 120.0
UNREAD: Final = bytes(256 * 1024)
KINDS: Final = (
    *("orders", "documents", "orders", "uploads", "orders", "partner", "orders", "orders", "partner", "uploads"),
    *("orders", "uploads", "orders", "partner", "orders", "documents", "orders", "fork", "orders", "orders"),
)
"""Of twenty requests, one after the other."""


@dataclass(frozen=True, slots=True)
class Ask:
    kind: str
    number: int

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.number}"


def plans(size: int) -> Iterator[list[Ask]]:
    """Without end; no number comes twice."""
    numbers = itertools.count()
    while True:
        yield [Ask(KINDS[number % len(KINDS)], number) for number in itertools.islice(numbers, size)]


def work_through(port: int, plan: Sequence[Ask]) -> list[tuple[int, bytes]]:
    """The answers, in the order of the plan. Raises OSError or HTTPException of a connection that breaks."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = pool.map(lambda first: _share(port, plan[first::CLIENTS]), range(CLIENTS))
        answers = [iter(share) for share in shares]
    return [next(answers[place % CLIENTS]) for place in range(len(plan))]


def _share(port: int, asks: Sequence[Ask]) -> list[tuple[int, bytes]]:
    answers = []
    for each in asks:
        answers.append(fetch(port, each.path, UNREAD if each.kind == "uploads" else None))
        time.sleep(PAUSE_S)
    return answers


def fetch(port: int, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Over a connection of its own: the server closes one whose body nobody has read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Partner:
    """Answers each request with a body that the service does not read."""

    def __init__(self) -> None:
        self._server = _Quiet(("127.0.0.1", 0), _Partner)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever does not read the body breaks the connection: that is what is wanted here."""


class _Partner(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(UNREAD)))
        self.end_headers()
        self.wfile.write(UNREAD)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
