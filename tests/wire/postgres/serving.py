"""Answers of a test's own, and a socket in front of a backend."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from timetracer_otel.wire.postgres.answers import Answer, CopyFormats, Miss, Reply, Startup, Statement, Synthesise
from timetracer_otel.wire.postgres.backend import Backend
from timetracer_otel.wire.postgres.messages import Notification
from timetracer_otel.wire.postgres.recorded import copied, parameters
from timetracer_otel.wire.postgres.statements import normalise
from timetracer_otel.wire.postgres.synthesis import is_housekeeping
from timetracer_otel.wire.postgres.transaction import Transaction
from timetracer_otel.wire.postgres.values import canonical


@dataclass
class Canned:
    """Answers by statement and parameters, each exchange once; housekeeping is synthesised when nothing is recorded."""

    exchanges: list[Answer] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    misses: list[Statement] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    asked: list[tuple[str, Transaction]] = field(default_factory=list)
    due: list[Notification] | None = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    def startup(self) -> Startup:
        return Startup(self.parameters)

    def answer(self, statement: Statement, transaction: Transaction) -> Reply:
        self.asked.append((statement.sql, transaction))
        wanted = [canonical(each.oid, each.format, each.value) for each in statement.parameters]
        for at, exchange in enumerate(self.exchanges):
            held = [canonical(each.oid, each.format, each.value) for each in parameters(exchange.request)]
            copy = copied(exchange.request)
            is_same_copy = (copy[1] if copy is not None else None) == statement.copied
            if at not in self.used and exchange in self.shapes(statement.sql) and held == wanted and is_same_copy:
                self.used.add(at)
                return exchange
        if is_housekeeping(statement.sql):
            return Synthesise()
        self.misses.append(statement)
        return Miss(f"no recorded answer for {statement.sql}")

    def parse(self, sql: str, transaction: Transaction) -> Answer | None:
        for at, exchange in enumerate(self.exchanges):
            if at not in self.used and exchange.request.get("op") == "parse" and exchange.request["statement"] == sql:
                self.used.add(at)
                return exchange
        return None

    def shapes(self, sql: str) -> Sequence[Answer]:
        wanted = normalise(sql)
        return [each for each in self.exchanges if normalise(str(each.request["statement"])) == wanted]

    def hold(self) -> None:
        """Nobody gives up here."""

    def copy_in(self, sql: str) -> CopyFormats | None:
        found = [copied(each.request) for each in self.shapes(sql)]
        return next((each[0] for each in found if each is not None), None)

    def notifications(self) -> Sequence[Notification] | None:
        return self.due

    def refused(self, statement: Statement, problem: str, is_gap: bool = True) -> str:
        self.refusals.append(problem)
        return f"{statement.sql}: {problem}"


def column(name: str, oid: int, **more: int) -> dict[str, Any]:
    return {"name": name, "oid": oid, "size": -1, "mod": -1, "table": 0, "attnum": 0, **more}


def table(
    columns: Sequence[tuple[str, int]], values: Sequence[Sequence[Any]], fmt: int = 0, tag: str = ""
) -> dict[str, Any]:
    """A result in wire form; `values` column by column."""
    rows = len(values[0]) if values else 0
    return {
        "columns": [column(*each) for each in columns],
        "formats": [fmt] * len(columns),
        "rows": rows,
        "values": [list(each) for each in values],
        "tag": tag or f"SELECT {rows}",
    }


def exchange(
    sql: str, *results: dict[str, Any], types: Sequence[int] = (), values: Sequence[Any] = (), **more: Any
) -> Answer:
    request: dict[str, Any] = {"op": "query", "statement": sql}
    if values:
        formats = [int(isinstance(value, bytes)) for value in values]
        request |= {"parameters": list(values), "parameter_types": list(types), "parameter_formats": formats}
    return Answer(request, {"results": list(results), "tx": "I", **more})


@contextmanager
def served(answers: Canned) -> Iterator[str]:
    """The DSN of a listener that serves one backend per connection."""
    numbers = count(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_serve, args=(connection, Backend(next(numbers), answers)), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port = listener.getsockname()[1]
        yield f"host=127.0.0.1 port={port} user=app dbname=shop gssencmode=disable"
        listener.shutdown(socket.SHUT_RDWR)


def _serve(connection: socket.socket, backend: Backend) -> None:
    with connection:
        while not backend.is_closing and (data := connection.recv(1 << 16)):
            connection.sendall(backend.receive(data))
