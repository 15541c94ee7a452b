"""Celery, tasks that do nothing through a prefork worker on Redis: recorded over plain OpenTelemetry.

Plain is a batch processor with an exporter that does nothing, as in the other benchmarks. Both workers run all the time
and are given a batch in turn, the order reversing every round. A figure is the median of the ratios of their rates,
with the quartiles beside it; the goal is 0.9. Needs Debian's redis-server.

Whether a batch is done is asked every ten milliseconds over one connection: two new ones every two milliseconds took a
fifth of a processor, from the worker and its broker.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import new_folder, options
from results import Figure, quartiles, tell

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.servers.redis import RedisServer

ROWS = ("celery, tasks that do nothing",)
GOAL = 0.9
TASKS = 1000
POLL_S = 0.01
PLAIN = """
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class NoExporter(SpanExporter):
    def export(self, spans):
        return SpanExportResult.SUCCESS
"""
"""Found by the name `plain`, as every exporter that the launcher is told of."""
PACKAGE = {
    "METADATA": "Name: plain\nVersion: 1\n",
    "entry_points.txt": "[opentelemetry_traces_exporter]\nplain = plain:NoExporter\n",
}
APP = """
import os
from celery import Celery
app = Celery("noop", broker=os.environ["BROKER"])
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)

@app.task
def noop(number):
    return number
"""
QUIET = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "C_FORCE_ROOT": "1"}
WORKER = ["celery", "-A", "noop", "worker", "-l", "ERROR", "-c", "1", "--without-gossip", "--without-mingle"]
PUBLISH = """
import sys
from noop import noop
with noop.app.producer_pool.acquire(block=True) as producer:
    for number in range(int(sys.argv[1])):
        noop.apply_async((number,), producer=producer)
"""


class Contestant:
    """A worker with a broker of its own."""

    def __init__(self, exporter: str, folder: Path) -> None:
        self._redis = RedisServer()
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        store = str(folder / "store")
        own = {"PATH": path, "PYTHONPATH": str(folder), "BROKER": self._redis.url(), "TIMETRACER_STORE": store}
        self._env = {**os.environ, **QUIET, **own}
        self._folder = folder
        command = ["opentelemetry-instrument", "--traces_exporter", exporter, *WORKER]
        self._process = subprocess.Popen(command, cwd=folder, env=self._env, start_new_session=True)

    def rate(self, count: int) -> float:
        """Tasks per second."""
        self._process.send_signal(signal.SIGSTOP)  # the batch is there before the clock starts
        subprocess.run([sys.executable, "-c", PUBLISH, str(count)], cwd=self._folder, env=self._env, check=True)
        began = time.perf_counter()
        self._process.send_signal(signal.SIGCONT)
        with socket.create_connection(("127.0.0.1", self._redis.port)) as broker, broker.makefile("rb") as replies:
            left = True
            while left:
                time.sleep(POLL_S)
                broker.sendall(b"LLEN celery\r\nHLEN unacked\r\n")
                left = {replies.readline(), replies.readline()} != {b":0\r\n"}
        return count / (time.perf_counter() - began)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._redis.stop()


@contextmanager
def contestants(folder: Path) -> Iterator[dict[str, Contestant]]:
    (folder / "noop.py").write_text(APP)
    (folder / "plain.py").write_text(PLAIN)
    package = folder / "plain-1.dist-info"
    package.mkdir()
    for name, text in PACKAGE.items():
        (package / name).write_text(text)
    both = {name: Contestant(name, folder) for name in ("plain", "timetracer")}
    try:
        yield both
    finally:
        for each in both.values():
            each.stop()


def main() -> None:
    rounds = options(__doc__, 25).rounds
    rates: dict[str, list[float]] = {"plain": [], "timetracer": []}
    with contestants(Path(new_folder())) as both:
        for each in both.values():
            each.rate(100)
        for number in range(rounds):
            for name in sorted(both, reverse=bool(number % 2)):
                rates[name].append(both[name].rate(TASKS))
    ratios = [mine / its for mine, its in zip(rates["timetracer"], rates["plain"], strict=True)]
    took = f"{statistics.median(rates['timetracer']):.0f} a second"
    tell(Figure(ROWS[0], "recorded", took, *quartiles(ratios), goal=GOAL, is_least=True))


if __name__ == "__main__":
    main()
