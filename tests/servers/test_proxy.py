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


def _end_at_once(listener: socket.socket) -> None:
    listener.accept()[0].close()
