"""The proxy that other tests believe: what a client sends is kept, whoever ends first."""

from __future__ import annotations

import socket
import threading

from tests.servers.proxy import RecordingProxy


def test_what_a_client_says_after_the_server_has_ended_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ending = threading.Thread(target=_end_at_once, args=(listener,))
        ending.start()
        proxy = RecordingProxy(int(listener.getsockname()[1]))
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            assert client.recv(1) == b""
            client.sendall(b"late")
        proxy.stop()
        ending.join()
    assert [bytes(each) for each in proxy.sent] == [b"late"]


def test_what_a_client_said_that_has_gone_before_anybody_accepted_it_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = RecordingProxy(int(listener.getsockname()[1]))
        for number in range(20):
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.sendall(b"%d" % number)
        threading.Thread(target=_end_all, args=(listener, 20)).start()
        proxy.stop()
    assert [bytes(each) for each in proxy.sent] == [b"%d" % number for number in range(20)]


def _end_all(listener: socket.socket, count: int) -> None:
    for _ in range(count):
        with listener.accept()[0] as connection:
            while connection.recv(100):
                pass


def _end_at_once(listener: socket.socket) -> None:
    listener.accept()[0].close()
