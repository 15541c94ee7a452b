"""A server that answers at once what DynamoDB and S3 would: what is measured is the client. Runs as a process."""

from __future__ import annotations

import socket
import sys
import threading

ITEM = b'{"Item":{"id":{"S":"1"},"name":{"S":"a name of some length"},"price":{"N":"12.50"},"tags":{"SS":["a","b"]}}}'
OBJECT = bytes(range(256)) * 4096


def reply(body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nx-amzn-RequestId: R\r\n\r\n"
    return head.encode() + body


ANSWERS = {b"POST": reply(ITEM, "application/x-amz-json-1.0"), b"GET ": reply(OBJECT, "application/octet-stream")}


def serve(connection: socket.socket) -> None:
    data = b""
    with connection:
        while piece := connection.recv(65536):
            data += piece
            head, end, body = data.partition(b"\r\n\r\n")
            if not end:
                continue
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0
            )
            if len(body) >= length:
                connection.sendall(ANSWERS[data[:4]])
                data = body[length:]


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
