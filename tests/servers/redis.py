"""A real Redis of our own on a free port of loopback, in memory only, with a stop button."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.servers.postgres import free_port

START_TIMEOUT_S = 60


class RedisServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self, *arguments: str, is_sentinel: bool = False) -> None:
        """`arguments` as they follow `redis-server` on a command line."""
        self.port = free_port()
        self._folder = tempfile.mkdtemp(prefix="redis-")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder, *arguments]
        command = [
            "redis-server",
            *(self._sentinel() if is_sentinel else ["--save", "", "--appendonly", "no"]),
            *options,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _sentinel(self) -> list[str]:
        """It keeps what it knows in a file, which must be there."""
        file = Path(self._folder) / "sentinel.conf"
        file.touch()
        return [str(file), "--sentinel"]

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def command(self, *words: str) -> bytes:
        """What the server answers, as it stands on the wire; at most 64 KiB."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            parts = [word.encode() for word in words]
            request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
            connection.sendall(request)
            return connection.recv(64 * 1024)

    def value(self, database: int, key: str) -> str:
        """What stands under a key; empty if nothing does."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection, connection.makefile("rb") as replies:
            connection.sendall(b"SELECT %d\r\nGET %s\r\n" % (database, key.encode()))
            replies.readline()
            size = int(replies.readline()[1:])
            return replies.read(size).decode() if size >= 0 else ""

    def stop(self) -> None:
        """Ends the server and every connection to it; a second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                assert self.command("PING").startswith(b"+PONG")
                return
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
