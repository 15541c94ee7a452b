"""moto's server in a process of its own on a free port of loopback, with a stop button: many AWS services at once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request

from tests.servers.postgres import free_port

START_TIMEOUT_S = 60
REGION = "eu-west-1"
ACCESS_KEY = "AKIAKT4NARYKT4NARY01"
SECRET_KEY = "kT4nary-secret-key-of-the-recording-process"


class AwsServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        self._control("config", {"lambda": {"use_docker": False}})  # a function then echoes its payload

    @property
    def variables(self) -> dict[str, str]:
        """Environment of an application that uses this server in place of AWS."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }

    def reset(self) -> None:
        """Forgets everything."""
        self._control("reset", {})

    def stop(self) -> None:
        """A second call does nothing."""
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=5).close()
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError("moto's server does not start")

    def _control(self, what: str, body: object) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/{what}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        urllib.request.urlopen(request, timeout=START_TIMEOUT_S).close()
