"""A real RabbitMQ of our own on free ports of loopback, in a folder of its own, with a stop button."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.servers.postgres import free_port, free_ports

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
OWNER = "rabbitmq"
"""Who runs it where the tests run as root; the package makes this account."""
START_TIMEOUT_S = 120


class RabbitServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        self.port, distribution = free_ports(2)
        self._folder = Path(tempfile.mkdtemp(prefix="rabbit-"))
        self._epmd = free_port()
        (self._folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\n")
        (self._folder / "enabled_plugins").write_text("[].\n")
        owner = OWNER if os.geteuid() == 0 else None
        if owner is not None:
            account = pwd.getpwnam(owner)
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [SERVER],
            env=self._environment(distribution),
            cwd=self._folder,
            stdout=self._log,
            stderr=self._log,
            user=owner,
            group=owner,
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def _environment(self, distribution: int) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin",
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(self._epmd),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
        }

    def stop(self) -> None:
        """Ends the server and every connection to it; a second call does nothing."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        # Its port mapper leaves the group: it is asked to go by name of its port.
        subprocess.run(["epmd", "-port", str(self._epmd), "-kill"], capture_output=True, check=False, timeout=30)
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def _answers(self) -> bool:
        """True once it speaks AMQP."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(5)
            connection.sendall(b"AMQP\0\0\x09\x01")
            return bool(connection.recv(8))
        return False
