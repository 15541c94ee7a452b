"""A proxy in front of a server: it breaks the connection on which a command of a given name comes first."""

from __future__ import annotations

import contextlib
import socket
import threading

RECEIVE_MAX = 1 << 16


class DroppingProxy:
    """Listens on a port of loopback, a free one unless it is named, until `stop`."""

    def __init__(self, port: int, *names: str, on: int = 0) -> None:
        self._target = port
        self._dropped = {b"\x02" + name.encode() + b"\0" for name in names}
        self._listener = socket.create_server(("127.0.0.1", on))
        self.port = int(self._listener.getsockname()[1])
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Nobody is served any more, nor was."""
        self.stop()
        for end in tuple(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # stopped
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._ends += (client, server)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(RECEIVE_MAX):
                found = {name for name in self._dropped if name in data}
                if found:
                    self._dropped -= found
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
