"""Work that is given to other processes: `python -m shop.work WAY COUNT [START METHOD]`, inside one span."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

import psycopg
from opentelemetry import trace
from opentelemetry.trace import SpanKind

tracer = trace.get_tracer("shop")


def price(number: int) -> int:
    """A span with a query in it."""
    with (
        tracer.start_as_current_span(f"price {number}"),
        psycopg.connect(os.environ["SHOP_DSN"], autocommit=True) as connection,
    ):
        connection.execute("SELECT %s::text", (f"price {number}",))
    return number


def serve(number: int) -> None:
    """What a server does for a request: its part is left to the writer's thread."""
    tracer.start_span(f"price {number}", kind=SpanKind.SERVER).end()


def pool(count: int, method: str) -> list[int]:
    with multiprocessing.get_context(method).Pool(2) as workers:
        return workers.map(price, range(count))


def executor(count: int, method: str) -> list[int]:
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as workers:
        return list(workers.map(price, range(count)))


def processes(count: int, method: str) -> list[int | None]:
    """Exit codes of children that have one thing to do."""
    context = multiprocessing.get_context(method)
    children = [context.Process(target=serve, args=(number,)) for number in range(count)]  # type: ignore[attr-defined]
    for child in children:
        child.start()
    for child in children:
        child.join()
    return [child.exitcode for child in children]


def forks(count: int) -> list[int]:
    return [_after(price, number) for number in range(count)]


def _after(work: Callable[[int], object], number: int) -> int:
    """The exit code of a child that leaves by `os._exit` when that is done."""
    child = os.fork()
    if child == 0:
        work(number)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def transactions(count: int) -> list[int]:
    return [_after(_transaction, number) for number in range(count)]


def _transaction(number: int) -> None:
    """Without a span: OpenTelemetry makes some for SELECT, and none for COPY and COMMIT."""
    with psycopg.connect(os.environ["SHOP_DSN"]) as connection:
        connection.execute("SELECT %s::text", (f"price {number}",))
        with connection.cursor().copy("COPY (SELECT 1) TO STDOUT") as rows:
            assert [bytes(row) for row in rows] == [b"1\n"]


def programs(count: int) -> list[int]:
    commands = [[sys.executable, "-m", "shop.work", "price", str(number)] for number in range(count)]
    return [subprocess.run(command, check=False).returncode for command in commands]


WAYS: Mapping[str, Callable[..., object]] = {
    "pool": pool,
    "executor": executor,
    "processes": processes,
    "forks": forks,
    "transactions": transactions,
    "programs": programs,
}

if __name__ == "__main__":
    way, count, *method = sys.argv[1:]
    if way == "price":
        price(int(count))
    else:
        with tracer.start_as_current_span("prices"):
            print(WAYS[way](int(count), *method))
