"""Stub servers: a protocol core behind a listener on loopback, a thread for each connection, blocking sockets.

A listener starts at the first question for its port, and anew after a fork: a child has none of its parent's threads.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Final

from timetracer_otel.drivers.base import ServerCore
from timetracer_otel.errors import WireError
from timetracer_otel.replay.journal import Journal

RECEIVE_MAX: Final = 256 * 1024
BACKLOG: Final = 128
LINGER_S: Final = 5.0
"""So long a connection that has ended here waits for its client to end it too."""

_numbers = itertools.count(1)
_all: weakref.WeakSet[StubServer] = weakref.WeakSet()


class StubServer:
    def __init__(self, name: str, backend: Callable[[int], ServerCore], journal: Journal) -> None:
        """`backend` makes the core of one connection, given its number in this process."""
        self._name, self._backend, self._journal = name, backend, journal
        self._forget()
        _all.add(self)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    def port(self) -> int:
        """On 127.0.0.1; somebody listens there from now on."""
        with self._lock:
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
                self._start(self._listen, "listener", self._listener)
            return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """No new connections; those that are open end with their client."""
        with self._lock:
            if self._listener is not None:
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which `close` alone does not
                self._listener.close()
            self._listener = None

    def _start(self, target: Callable[[socket.socket], None], role: str, connection: socket.socket) -> None:
        # Daemons: an app that leaves a connection open must still be able to end.
        name = f"timetracer-{self._name}-{role}"
        threading.Thread(target=target, args=(connection,), name=name, daemon=True).start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # stopped
                return
            self._start(self._serve, "connection", connection)

    def _serve(self, connection: socket.socket) -> None:
        problem = "the stub failed"
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._answer(connection, self._backend(next(_numbers)))
            problem = ""
        except WireError as error:
            problem = str(error)
        except OSError:  # the client has gone
            problem = ""
        finally:
            if problem:  # also when the core has a fault: its traceback goes to stderr, the verdict must not be `same`
                reason = f"stub {self._name} broke a connection off: {problem}"
                self._journal.write("incomplete", exchange=None, reason=reason)

    def _answer(self, connection: socket.socket, core: ServerCore) -> None:
        while data := connection.recv(RECEIVE_MAX):
            connection.sendall(core.receive(data))
            if core.is_closing:
                _end(connection)
                return

    def after_fork(self) -> None:
        """The child listens for itself; the parent's socket is closed here without a word to the parent's clients."""
        listener = self._listener
        self._forget()
        if listener is not None:
            listener.close()


def _end(connection: socket.socket) -> None:
    """Lets the client read all that was sent: closed with bytes of the client's unread, the connection would be reset,
    and the client lose it."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(LINGER_S)
    while connection.recv(RECEIVE_MAX):
        pass


def _after_fork() -> None:
    for stub in list(_all):
        stub.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
