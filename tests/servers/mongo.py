"""A real server of MongoDB's wire protocol on a free port of loopback, in a process of its own, with a stop button.

It is SecantusDB: a replica set of one, with transactions, change streams, users and aggregation.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile

START_TIMEOUT_S = 60
PROGRAM = """
import sys
from secantus import SecantusDBServer
with SecantusDBServer(storage_path=sys.argv[1]) as server:
    print(server.uri, flush=True)
    sys.stdin.read()
"""


class MongoServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        self._data = tempfile.mkdtemp(prefix="mongo-")
        self._server = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self._data], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.uri = self._server.stdout.readline().strip()
        if not self.uri:
            self._server.wait(START_TIMEOUT_S)
            raise RuntimeError("secantusdb did not start")
        self.address = self.uri.partition("://")[2].partition("/")[0]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self) -> None:
        """Ends the server and every connection to it; a second call does nothing."""
        if self._server.poll() is None:
            self._server.kill()
            self._server.wait(START_TIMEOUT_S)
        for pipe in (self._server.stdin, self._server.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._data, ignore_errors=True)
