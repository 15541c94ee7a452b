"""A TCP proxy that keeps every byte of both directions, in front of a server."""

from __future__ import annotations

import contextlib
import socket
import threading

RECEIVE_MAX = 1 << 16


class RecordingProxy:
    """Listens on a free port of loopback until `stop`; `sent` and `received` are the bytes of each connection in turn."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.sent: list[bytearray] = []
        self.received: list[bytearray] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # stopped
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self.sent.append(bytearray())
            self.received.append(bytearray())
            for source, sink, kept in ((client, server, self.sent[-1]), (server, client, self.received[-1])):
                threading.Thread(target=_pump, args=(source, sink, kept), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(RECEIVE_MAX):
            kept += data
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
