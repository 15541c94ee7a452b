"""HTTP servers of our own in a process: plain, TLS with HTTP/2, and one that misbehaves; with a stop button."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.demonstration import ROOT
from tests.servers.postgres import free_ports

START_TIMEOUT_S = 60
SUBJECT = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]


class HttpServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="http-"))
        self.certificate, key = self._folder / "cert.pem", self._folder / "key.pem"
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *SUBJECT]
        subprocess.run([*new, "-keyout", str(key), "-out", str(self.certificate)], check=True, capture_output=True)
        self.plain, self.tls, self.odd, self.via, self.socks, self.closed = free_ports(6)
        ports = [str(port) for port in (self.plain, self.tls, self.odd, self.via, self.socks)]
        command = [sys.executable, "-m", "tests.servers.http_app", *ports, str(self.certificate), str(key)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.plain}"

    @property
    def variables(self) -> dict[str, str]:
        """Environment of a program that talks to it."""
        ports = {"HTTP_PLAIN": self.plain, "HTTP_TLS": self.tls, "HTTP_ODD": self.odd, "HTTP_CLOSED": self.closed}
        ports |= {"HTTP_VIA": self.via, "HTTP_SOCKS": self.socks}
        return {**{name: str(port) for name, port in ports.items()}, "HTTP_CERTIFICATE": str(self.certificate)}

    def stop(self) -> None:
        """Ends the server and every connection to it; a second call does nothing. The certificate stays."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def clean(self) -> None:
        """Stops it, and takes away what it has made."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        for port in (self.plain, self.tls, self.odd, self.via, self.socks):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise RuntimeError((self._folder / "log").read_text()) from None
                    time.sleep(0.05)
