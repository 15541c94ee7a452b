from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from timetracer_otel.drivers.base import ServerCore
from timetracer_otel.errors import WireError
from timetracer_otel.replay.journal import MemoryJournal
from timetracer_otel.replay.stubs import StubServer


class Echo:
    """Answers with the connection's number; `quit` ends, `bad` is no protocol, `bug` is a fault of the core."""

    def __init__(self, number: int) -> None:
        self._number, self.is_closing = number, False

    def receive(self, data: bytes) -> bytes:
        if data == b"bad":
            raise WireError("echo: bad message")
        if data == b"bug":
            raise ZeroDivisionError
        self.is_closing = data == b"quit"
        return b"%d:" % self._number + data


def core(number: int) -> ServerCore:
    return Echo(number)


@pytest.fixture
def log() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def stub(log: MemoryJournal) -> Iterator[StubServer]:
    server = StubServer("echo", core, log)
    yield server
    server.stop()


def ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(data)
        return client.recv(100)


def await_ends() -> None:
    """A client hears the end of its connection before the journal does."""
    for thread in threading.enumerate():
        if thread.name == "timetracer-echo-connection":
            thread.join(60)


def test_connections_are_answered_at_once_each_by_its_own_core(stub: StubServer) -> None:
    with (
        socket.create_connection(("127.0.0.1", stub.port()), timeout=60) as one,
        socket.create_connection(("127.0.0.1", stub.port()), timeout=60) as two,
    ):
        two.sendall(b"b")
        second = two.recv(100)
        one.sendall(b"a")
        first = one.recv(100)
    assert (first[-2:], second[-2:]) == (b":a", b":b")
    assert first.split(b":")[0] != second.split(b":")[0]


def test_the_core_closes_the_connection(stub: StubServer) -> None:
    with socket.create_connection(("127.0.0.1", stub.port()), timeout=60) as client:
        client.sendall(b"quit")
        assert client.recv(100).endswith(b"quit")
        assert client.recv(100) == b""


def test_bytes_that_are_not_the_protocol_close_the_connection_and_make_the_verdict_inconclusive(
    stub: StubServer, log: MemoryJournal
) -> None:
    assert ask(stub.port(), b"bad") == b""
    assert ask(stub.port(), b"ok").endswith(b"ok")
    await_ends()
    [event] = log.of("incomplete")
    assert event["reason"] == "stub echo broke a connection off: echo: bad message"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_the_core_is_never_silent(stub: StubServer, log: MemoryJournal) -> None:
    assert ask(stub.port(), b"bug") == b""
    await_ends()
    assert log.of("incomplete")


def test_a_forked_child_has_its_own_listener(stub: StubServer) -> None:
    parents = stub.port()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"%d " % stub.port() + ask(stub.port(), b"child"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    port, answer = os.read(reading, 100).split()
    os.close(reading)
    os.close(writing)
    assert int(port) != parents
    assert answer.endswith(b"child")
    assert ask(parents, b"parent").endswith(b"parent")


def test_a_stopped_stub_answers_nobody(stub: StubServer) -> None:
    port = stub.port()
    stub.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(port, b"x")
