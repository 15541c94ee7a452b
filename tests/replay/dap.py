"""A client of the Debug Adapter Protocol, as an editor has one. Source: the protocol's overview, "Base protocol"."""

from __future__ import annotations

import itertools
import json
import socket
import time
from typing import Any

LIMIT_S = 120.0


class DebugClient:
    def __init__(self, port: int) -> None:
        """Waits until somebody listens there."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
                break
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self._stream, self._numbers = self._socket.makefile("rb"), itertools.count(1)
        self._seen: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        return number

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The body of the answer."""
        number = self.send(command, **arguments)
        answer = self._until(lambda message: message.get("request_seq") == number)
        assert answer["success"], answer
        body: dict[str, Any] = answer.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of this name."""
        body: dict[str, Any] = self._until(lambda message: message.get("event") == name).get("body", {})
        return body

    def _until(self, fits: Any) -> dict[str, Any]:
        for message in self._seen:
            if fits(message):
                self._seen.remove(message)
                return message
        while not fits(message := self._read()):
            self._seen.append(message)
        return message

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugger has closed the connection"
        message: dict[str, Any] = json.loads(self._stream.read(length))
        return message
