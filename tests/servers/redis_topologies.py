"""A Redis cluster of two nodes, and a Redis with a sentinel beside it; each with a stop button."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.servers.postgres import free_ports
from tests.servers.redis import START_TIMEOUT_S, RedisServer


class RedisCluster:
    """Runs from construction to `stop`: each node has half of the slots."""

    def __init__(self) -> None:
        self._buses = free_ports(2)
        self.nodes = [
            RedisServer("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-config-file", f"{bus}.conf")
            for bus in self._buses
        ]
        try:
            self._join()
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        """Of one of the nodes."""
        return self.nodes[0].port

    def _join(self) -> None:
        first, second = self.nodes
        first.command("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        second.command("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        second.command("CLUSTER", "SET-CONFIG-EPOCH", "2")
        first.command("CLUSTER", "MEET", "127.0.0.1", str(second.port), str(self._buses[1]))
        for node in self.nodes:
            _until(lambda node=node: b"cluster_state:ok" in node.command("CLUSTER", "INFO"))  # type: ignore[misc]  # bound

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()


class Sentinel:
    """Watches a primary of its own under the name `mymaster`."""

    def __init__(self) -> None:
        self.primary = RedisServer()
        try:
            self._watcher = RedisServer(is_sentinel=True)
            answer = self._watcher.command("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", str(self.primary.port), "1")
            assert answer.startswith(b"+OK"), answer
            _until(lambda: b"master" in self._watcher.command("SENTINEL", "MASTER", "mymaster"))
        except BaseException:
            self.stop()
            raise

    @property
    def port(self) -> int:
        return self._watcher.port

    def stop(self) -> None:
        self.primary.stop()
        if hasattr(self, "_watcher"):
            self._watcher.stop()


def _until(is_true: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError("a Redis of several servers did not come together")
        time.sleep(0.02)
