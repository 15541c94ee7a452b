"""The OpenTelemetry Collector on free ports of loopback: any configuration of it, with a stop button.

Without a processor nothing is batched or queued: what it accepted has reached its exporter.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.servers.jaeger_build import programs
from tests.servers.postgres import free_ports

TIMEOUT_S: Final = 60
NARROW_BYTES: Final = 20_000
LONGEST: Final = 1000
"""Characters that a backend which cuts leaves of a value."""
TELEMETRY: Final = {"metrics": {"level": "none"}, "logs": {"level": "warn"}}


class Collector:
    """The program `jaeger` or `collector`. Runs from construction, once its ports answer, to `stop`.

    Raises whatever keeps it from running here.
    """

    def __init__(self, program: str, config: Path, ports: Sequence[int], **variables: str) -> None:
        command = [str(programs() / program), "--config", str(config)]
        self._folder = Path(tempfile.mkdtemp(prefix=f"{program}-"))
        self._log = self._folder / "log"
        with self._log.open("wb") as log:
            environment = {**os.environ, **variables}
            self._process = subprocess.Popen(command, cwd=self._folder, env=environment, stdout=log, stderr=log)
        try:
            self._wait(ports)
        except BaseException:
            self.stop()
            raise

    def said(self) -> str:
        """Its log so far, warnings and errors only."""
        return self._log.read_text(errors="replace")

    def finish(self) -> None:
        """Ends it after it has passed on what it holds."""
        self._process.terminate()
        self._process.wait(TIMEOUT_S)

    def stop(self) -> None:
        """Ends it at once; a second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, ports: Sequence[int]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not all(map(answers, ports)):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(self.said()[-2000:])
            time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class FileCollector:
    """Writes what it is sent to files: as it is, in both forms that there are, and with its long values cut."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="files-"))
        ports = dict(zip(("whole", "narrow", "cut"), free_ports(3), strict=True))
        self.otlp = f"http://127.0.0.1:{ports['whole']}"
        """Where what is sent goes into `json_lines` and into `protobuf`."""
        self.narrow_otlp = f"http://127.0.0.1:{ports['narrow']}"
        """The same, for requests of at most NARROW_BYTES."""
        self.cutting_otlp = f"http://127.0.0.1:{ports['cut']}"
        """Where it goes into `cut`, JSON lines with values of at most LONGEST characters."""
        self.json_lines, self.protobuf, self.cut = (
            self._folder / name for name in ("whole.jsonl", "whole.pb", "cut.jsonl")
        )
        config = self._folder / "config.yaml"
        config.write_text(json.dumps(self._config(ports)))  # JSON is YAML
        try:
            self._collector = Collector("collector", config, list(ports.values()))
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    def finish(self) -> None:
        """Ends it: the files are whole then, and stay until `stop`."""
        self._collector.finish()

    def stop(self) -> None:
        """Ends it and deletes its files; a second call does nothing."""
        self._collector.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _config(self, ports: Mapping[str, int]) -> Mapping[str, Any]:
        receivers = {f"otlp/{name}": over_http(port) for name, port in ports.items()}
        receivers["otlp/narrow"]["protocols"]["http"]["max_request_body_size"] = NARROW_BYTES
        files = {"json": (self.json_lines, "json"), "protobuf": (self.protobuf, "proto"), "cut": (self.cut, "json")}
        return {
            "receivers": receivers,
            "processors": {"transform": {"trace_statements": [f"truncate_all(span.attributes, {LONGEST})"]}},
            "exporters": {f"file/{name}": {"path": str(path), "format": form} for name, (path, form) in files.items()},
            "service": {
                "telemetry": TELEMETRY,
                "pipelines": {
                    "traces/whole": {
                        "receivers": ["otlp/whole", "otlp/narrow"],
                        "exporters": ["file/json", "file/protobuf"],
                    },
                    "traces/cut": {"receivers": ["otlp/cut"], "processors": ["transform"], "exporters": ["file/cut"]},
                },
            },
        }


def over_http(port: int) -> dict[str, Any]:
    """A receiver of OTLP on a port of loopback."""
    return {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}
