"""Listeners where servers would be, in the process that is replayed and so in its network namespace."""

from __future__ import annotations

import socket
import threading

PORTS = (5432, 6379, 27017)


def listen(port: int, log: str) -> None:
    """The file gets a line now and one for each caller."""
    server = socket.create_server(("127.0.0.1", port))
    _write(log, f"listening {port}")
    threading.Thread(target=_accept, args=(server, port, log), daemon=True).start()


def _accept(server: socket.socket, port: int, log: str) -> None:
    while True:
        caller, _ = server.accept()
        _write(log, f"called {port}")
        caller.close()


def _write(log: str, line: str) -> None:
    with open(log, "a") as file:
        file.write(f"{line}\n")
