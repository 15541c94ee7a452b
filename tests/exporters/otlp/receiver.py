"""A receiver and a query service of ours, for answers that the real Jaeger does not give: see `tests/servers/jaeger`
for that one."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Receiver:
    """`answer` gives the reply to each request, of its path and its body."""

    answer: Callable[[str, bytes], Reply] = lambda path, body: Reply()
    url: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Of the requests that were answered with 200, unpacked."""

    @property
    def data(self) -> bytes:
        """All of them as one protobuf message."""
        return b"".join(self.bodies)


@contextlib.contextmanager
def receiver(answer: Callable[[str, bytes], Reply] | None = None) -> Iterator[Receiver]:
    found = Receiver() if answer is None else Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self._reply(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)

        def _reply(self, body: bytes) -> None:
            found.paths.append(self.path)
            reply = found.answer(self.path, body)
            if reply.status == 200:
                found.bodies.append(body)
            self.send_response(reply.status)
            for name, value in {"content-type": reply.content_type, **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
