"""A server that answers every request at once with 4 KiB: what is measured is the client. Runs as a process."""

from __future__ import annotations

import socket
import sys
import threading

BODY = b"0123456789abcdef" * 256
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


def serve(connection: socket.socket) -> None:
    data = b""
    with connection:
        while piece := connection.recv(65536):
            data += piece
            if data.endswith(b"\r\n\r\n"):
                connection.sendall(ANSWER)
                data = b""


def main() -> None:
    """Prints its URL, and serves until its input ends."""
    server = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{server.getsockname()[1]}", flush=True)
    threading.Thread(target=accept, args=(server,), daemon=True).start()
    sys.stdin.read()


def accept(server: socket.socket) -> None:
    while True:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
