"""A script that forks, where parent and child ask the same: `python -m tests.drivers.psycopg.forked DSN`.

Prints what each was answered.
"""

from __future__ import annotations

import os
import sys

import psycopg
from opentelemetry import trace


def main(dsn: str) -> None:
    with trace.get_tracer("tests").start_as_current_span("work"):
        with psycopg.connect(dsn) as connection:
            connection.execute("create sequence numbers")
        print(drawn(dsn), in_child(dsn), drawn(dsn))


def drawn(dsn: str) -> int:
    """The next number, in a transaction of its own."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select nextval('numbers')").fetchone()
    assert row is not None
    return int(row[0])


def in_child(dsn: str) -> int:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(drawn(dsn)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(reading, 20))


if __name__ == "__main__":
    main(*sys.argv[1:])
