"""A TCP proxy in front of a server, which keeps every byte that clients send."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

RECEIVE_MAX = 1 << 16
JOIN_TIMEOUT_S = 60


class RecordingProxy:
    """Listens on a free port of loopback until `stop`; `sent` holds the bytes of each connection in turn."""

    def __init__(self, port: int, ends_after_s: float = 0) -> None:
        """`ends_after_s`: so long after its last bytes, each side hears that the other one has ended."""
        self._target, self._ends_after_s = port, ends_after_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.sent: list[bytearray] = []
        self._pumps: list[threading.Thread] = []
        self._ends: list[socket.socket] = []
        self._last = socket.socket()
        self._last.bind(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._listen, daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Waits until what closed connections still said has arrived, of those too that have yet to be accepted."""
        with self._last:
            self._last.connect(("127.0.0.1", self.port))
            self._acceptor.join(JOIN_TIMEOUT_S)
        for pump in self._pumps:
            pump.join(JOIN_TIMEOUT_S)
        for end in self._ends:  # not before: a pump must not come to read from a file that has its number next
            end.close()
        self._listener.close()

    def cut(self) -> None:
        """Every connection that there is breaks without a word to either side; whoever connects anew is not cut."""
        for end in tuple(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            client, address = self._listener.accept()
            if address == self._last.getsockname():  # clients are accepted in the order in which they came
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self.sent.append(bytearray())
            self._ends += (client, server)
            for source, sink, kept in ((client, server, self.sent[-1]), (server, client, None)):
                self._pumps.append(
                    threading.Thread(target=_pump, args=(source, sink, kept, self._ends_after_s), daemon=True)
                )
                self._pumps[-1].start()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray | None, ends_after_s: float) -> None:
    """What one side has said is passed on to its end, even when the other side has said its last."""
    with contextlib.suppress(OSError):
        while data := source.recv(RECEIVE_MAX):
            if kept is not None:
                kept += data
            sink.sendall(data)
    time.sleep(ends_after_s)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
