"""The processes: the service under plain OpenTelemetry, and the same one that is recorded as well."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.demonstration import ROOT, environment
from tests.exporters.otlp.receiver import Receiver, receiver
from tests.launching import free_port, instrumented
from tests.promises.running import QUIET
from tests.soak.load import TIMEOUT_S, Ask, fetch, work_through

SAMPLE_S: Final = 0.25
SETTLE_S: Final = 60.0
EXPORT: Final = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    # The exporter is to lose nothing under this load: spans are compared.
    "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "60",
    "OTEL_PYTHON_STARLETTE_EXCLUDED_URLS": "control",
}
CHILD: Final = "child"
"""The name of the span of a forked child, which has no time to export it."""
ASKED: Final = ("GET", "POST")
"""Beginnings of the names of spans of the plan's requests."""


@dataclass(slots=True)
class Contestant:
    port: int
    process: subprocess.Popen[bytes]
    exported: Receiver
    log: Path
    made: list[Ask] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers that are not those of the service."""
    rounds_ms: list[list[float]] = field(default_factory=list)
    """Of each round, how late the event loop was."""
    memory_mib: list[float] = field(default_factory=list)
    """Resident while it was loaded."""

    def loaded(self, plan: Sequence[Ask]) -> None:
        """One round."""
        self.lags_ms()
        with self._watched():
            answers = work_through(self.port, plan)
        self.rounds_ms.append(self.lags_ms())
        self.made += plan
        self.wrong += [f"{ask.path}: {got}" for ask, got in zip(plan, answers, strict=True) if not _is_right(ask, got)]

    def lags_ms(self) -> list[float]:
        """Since the last call."""
        return [lag * 1e3 for lag in json.loads(fetch(self.port, "/control/lags")[1])]

    def flush(self) -> None:
        fetch(self.port, "/control/flush")

    def settle(self) -> None:
        """Waits for the end of all requests: the span of one ends after its answer, and uvicorn dies of its signal, so
        that plain OpenTelemetry would lose it. What has not come after a while is for `spans` to show."""
        deadline = time.monotonic() + SETTLE_S
        while self._is_missing_some() and time.monotonic() < deadline:
            time.sleep(0.1)
        self.flush()

    def _is_missing_some(self) -> bool:
        self.flush()
        return len(_planned(self._exported().values())) < len(self.made)

    @property
    def peak_mib(self) -> float:
        """The most that was in memory at any time, as the kernel knows it (VmHWM)."""
        return self._memory("VmHWM")

    def stop(self) -> None:
        """As a deployment does it: what was recorded is on disk afterwards."""
        self.process.terminate()
        self.process.wait(TIMEOUT_S)

    def spans(self) -> Counter[tuple[str, ...]]:
        """What arrived at the other exporter in the name of a request: of each span its name, kind, what it was about
        and whose child it is. Those of pollers come by the clock, and those of forked children end with them."""
        by_id = self._exported()
        names = {span_id: span.name for span_id, span in by_id.items()}
        planned = _planned(by_id.values())
        return Counter(_described(span, names) for span in by_id.values() if span.trace_id in planned)

    def _exported(self) -> dict[bytes, Any]:
        """Spans by id: what an exporter sends again, it has sent."""
        return {
            span.span_id: span
            for resource in ExportTraceServiceRequest.FromString(self.exported.data).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.name != CHILD
        }

    def _memory(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._sample, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _sample(self, done: threading.Event) -> None:
        self.memory_mib.append(self._memory("VmRSS"))
        while not done.wait(SAMPLE_S):
            self.memory_mib.append(self._memory("VmRSS"))


def _planned(spans: Iterable[Any]) -> set[bytes]:
    """Traces of requests."""
    return {span.trace_id for span in spans if not span.parent_span_id and span.name.startswith(ASKED)}


def _described(span: Any, names: Mapping[bytes, str]) -> tuple[str, ...]:
    about = {each.key: each.value.string_value for each in span.attributes}
    target = about.get("http.target") or about.get("db.statement") or about.get("http.url") or ""
    return span.name, str(span.kind), target, str(span.status.code), names.get(span.parent_span_id, "")


def _is_right(ask: Ask, answer: tuple[int, bytes]) -> bool:
    status, body = answer
    if ask.kind == "uploads":
        return (status, body) == (202, b"")
    said = json.loads(body) if status == 200 else None
    if ask.kind == "documents":
        return said == {"size": 164_000 * 32 + len(f"{ask.number} ")}
    return (
        said
        == {"orders": {"said": f"order {ask.number} is paid"}, "partner": {"status": 200}, "fork": {"exit": 0}}[
            ask.kind
        ]
    )


@contextlib.contextmanager
def contestant(name: str, folder: Path, **variables: str) -> Iterator[Contestant]:
    """Begins to start; killed in the end if it still runs. `started` waits for it."""
    port, log = free_port(), folder / f"{name}.log"
    command = ["opentelemetry-instrument", "uvicorn", "tests.soak.service:app", "--port", str(port)]
    with receiver() as exported, log.open("wb") as output:
        env = environment(
            PYTHONPATH=str(ROOT),
            **{**instrumented("asyncpg", "httpx", "starlette"), **QUIET, **EXPORT, **variables},
            OTEL_EXPORTER_OTLP_ENDPOINT=exported.url,
        )
        options = ("--no-access-log", "--log-level", "warning")
        process = subprocess.Popen([*command, *options], cwd=ROOT, env=env, stdout=output, stderr=output)
        try:
            yield Contestant(port, process, exported, log)
        finally:
            process.kill()
            process.wait()


def started(one: Contestant) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and one.process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            fetch(one.port, "/control/lags")
            return
        time.sleep(0.05)
    raise AssertionError(f"the service does not start:\n{one.log.read_text()}")
