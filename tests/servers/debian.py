"""Debian's PostgreSQL, in a folder of its own: only over TLS, only with SCRAM. It has a stop button."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from tests.servers.postgres import free_port

PROGRAMS: Final = Path("/usr/lib/postgresql")
OWNER: Final = "postgres"
"""Who runs it where the tests run as root, whom PostgreSQL refuses. The package makes this account."""
USER, PASSWORD, DATABASE = "shop", "kT4-scram", "postgres"
TIMEOUT_S: Final = 60
ACCESS: Final = "hostssl all all 127.0.0.1/32 scram-sha-256\n"
SETTINGS: Final = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
password_encryption = 'scram-sha-256'
max_prepared_transactions = 5
fsync = off
"""


class DebianPostgres:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        versions = [folder for folder in PROGRAMS.glob("*/bin") if (folder / "postgres").exists()]
        self._programs = max(versions, key=lambda folder: int(folder.parent.name))
        self._folder = Path(tempfile.mkdtemp(prefix="pg-debian-"))
        self._owner = OWNER if os.geteuid() == 0 else None
        self.port = free_port()
        self._is_running = False
        try:
            self._make()
            self._control("-w", "-l", str(self._folder / "log"), "start")
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        self._is_running = True

    @property
    def certificate(self) -> Path:
        """Of the authority that vouches for the server; it goes with the server."""
        return self._folder / "root.crt"

    @property
    def dsn(self) -> str:
        return self.dsn_with(sslmode="verify-full", sslrootcert=str(self.certificate))

    def dsn_with(self, **options: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}?{urlencode(options)}"

    def stop(self) -> None:
        """Ends the server, every connection to it, and its certificates; a second call does nothing."""
        if self._is_running:
            self._is_running = False
            self._control("-w", "-m", "immediate", "stop")
            shutil.rmtree(self._folder)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        self._give_away()
        self._run(
            [
                *(self._programs / "initdb", "-D", self._data, "-U", USER, "--pwfile", secret, "-A", "scram-sha-256"),
                *("-E", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            ]
        )
        (self._data / "pg_hba.conf").write_text(ACCESS)
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(SETTINGS.format(port=self.port))
        self._certify()
        self._give_away()

    def _certify(self) -> None:
        """A certificate for 127.0.0.1 that is its own authority."""
        certificate, key = self._data / "server.crt", self._data / "server.key"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        subprocess.run(
            [*request, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
            check=True,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        key.chmod(0o600)
        shutil.copy(certificate, self.certificate)

    def _give_away(self) -> None:
        """All files to who runs the server; the certificate stays readable for everybody."""
        if self._owner is not None:
            account = pwd.getpwnam(self._owner)
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)
        self._folder.chmod(0o755)

    def _control(self, *arguments: str) -> None:
        self._run([self._programs / "pg_ctl", "-D", self._data, *arguments])

    def _run(self, command: Sequence[str | Path]) -> None:
        subprocess.run(
            command,
            check=True,
            user=self._owner,
            group=self._owner,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a pipe would stay open in the server
            timeout=TIMEOUT_S,
        )
