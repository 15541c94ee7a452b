"""A server in this process that keeps what it was sent, byte for byte."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from timetracer_otel.config import MIB


class Listener:
    """Runs from construction to `stop`. Answers every request alike, `/chunked` in two chunks, `/large` with 2 MiB."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, list[tuple[str, str]], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def taken(self) -> list[tuple[str, list[tuple[str, str]], bytes]]:
        """What was sent since the last time."""
        heard, self.heard = self.heard, []
        return heard

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self._chunked() if self.headers.get("Transfer-Encoding") else self._plain()
            listener.heard.append((self.requestline, list(self.headers.items()), body))
            self.send_response(200)
            if self.path == "/chunked":
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
                return
            content = b"answer" if self.path != "/large" else b"x" * 2 * MIB
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer

        def _plain(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _chunked(self) -> bytes:
            raw = b""
            while not raw.endswith(b"0\r\n\r\n"):
                raw += self.rfile.readline()
            return raw

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: it would go to stderr."""

    return Handler
