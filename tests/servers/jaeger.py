"""A real Jaeger with a storage in memory and one on disk (Badger), on free ports of loopback, with a stop button."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.servers.collector import TELEMETRY, Collector, over_http
from tests.servers.postgres import free_ports

TIMEOUT_S: Final = 60
STORAGES: Final = ("memory", "badger")


@dataclass(frozen=True, slots=True)
class Storage:
    """Where spans are sent to, and where they are asked for."""

    otlp_port: int
    query_port: int

    @property
    def otlp(self) -> str:
        return f"http://127.0.0.1:{self.otlp_port}"

    @property
    def query(self) -> str:
        return f"http://127.0.0.1:{self.query_port}"

    def get(self, path: str) -> Any:
        """The JSON under a path of the query service. Raises urllib's HTTPError."""
        with urllib.request.urlopen(self.query + path, timeout=TIMEOUT_S) as reply:
            return json.load(reply)

    def transform(self, otlp_json: bytes) -> Any:
        """What Jaeger's upload page makes of a file of OTLP JSON. Raises urllib's HTTPError."""
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.query}/api/transform", otlp_json, headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            return json.load(reply)


class JaegerServer:
    """Runs from construction to `stop`. Raises whatever keeps it from running here."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="jaeger-"))
        ports = iter(free_ports(2 * len(STORAGES)))
        self._storages = {name: Storage(next(ports), next(ports)) for name in STORAGES}
        config = self._folder / "config.yaml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        listened = [port for each in self._storages.values() for port in (each.otlp_port, each.query_port)]
        try:
            self._collector = Collector("jaeger", config, listened)
        except BaseException:
            shutil.rmtree(self._folder)
            raise

    @property
    def memory(self) -> Storage:
        return self._storages["memory"]

    @property
    def badger(self) -> Storage:
        return self._storages["badger"]

    def stop(self) -> None:
        """Ends it and forgets what it stored; a second call does nothing."""
        self._collector.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _config(self) -> Mapping[str, Any]:
        queries = {f"jaeger_query/{name}": query(name, each.query_port) for name, each in self._storages.items()}
        files = {kind: str(self._folder / kind) for kind in ("keys", "values")}
        backends = {
            "memory": {"memory": {"max_traces": 10_000}},
            "badger": {"badger": {"ephemeral": False, "directories": files}},
        }
        return {
            "extensions": {"jaeger_storage": {"backends": backends}, **queries},
            "receivers": {f"otlp/{name}": over_http(each.otlp_port) for name, each in self._storages.items()},
            "exporters": {f"jaeger_storage_exporter/{name}": {"trace_storage": name} for name in STORAGES},
            "service": {
                "telemetry": TELEMETRY,
                "extensions": ["jaeger_storage", *queries],
                "pipelines": {
                    f"traces/{name}": {"receivers": [f"otlp/{name}"], "exporters": [f"jaeger_storage_exporter/{name}"]}
                    for name in STORAGES
                },
            },
        }


def query(storage: str, port: int) -> Mapping[str, Any]:
    """The query service of one storage. Its gRPC gets any free port: nobody asks there."""
    endpoints = {"http": {"endpoint": f"127.0.0.1:{port}"}, "grpc": {"endpoint": "127.0.0.1:0"}}
    return {"storage": {"traces": storage}, **endpoints}
