"""A listener that takes mail over SMTP on a free port of loopback, with a stop button.

Source: RFC 5321, what `smtplib` says to send one message.
"""

from __future__ import annotations

import socketserver
import threading
from typing import Final

TIMEOUT_S: Final = 60
ANSWERS: Final = {
    b"EHLO": b"250 here",
    b"MAIL": b"250 ok",
    b"RCPT": b"250 ok",
    b"DATA": b"354 go on",
    b"QUIT": b"221 bye",
}


class SmtpServer:
    """Listens from construction to `stop`; `messages` holds what was sent, `connections` counts who came."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self._server = _Listener(("127.0.0.1", 0), _Connection)
        self._server.owner = self
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """A second call does nothing."""
        self._server.shutdown()
        self._thread.join(TIMEOUT_S)
        self._server.server_close()


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    owner: SmtpServer


class _Connection(socketserver.StreamRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.server.owner.connections += 1
        self.wfile.write(b"220 here\r\n")
        while command := self.rfile.readline()[:4].upper():
            self.wfile.write(ANSWERS.get(command, b"500 what") + b"\r\n")
            if command == b"DATA":
                self.server.owner.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                self.wfile.write(b"250 taken\r\n")
