"""The same program with the taps in and without them: results, exceptions, bytes sent, spans at another exporter."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import psycopg
import pytest
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.drivers.psycopg import copy_scenarios, cursor_scenarios, failure_scenarios, notify_scenarios, scenarios
from tests.drivers.psycopg.taping import taps
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import RecordingProxy
from timetracer_otel.capture import guard
from timetracer_otel.drivers.psycopg import connecting, copying, hooks, listening, streaming

HOOKS = (
    "is_unheard",
    "executing",
    "executing_merged",
    "preparing",
    "executing_prepared",
    "commanding",
    "describing",
    "answered",
    "answered_in_pipeline",
    "left_pipeline",
    "broken",
    "not_sent",
    "noticed",
)
HOOKS_OF_COPY = ("is_read", "read", "writing", "is_ending", "ended", "broken")
HOOKS_OF_STREAM = ("began", "is_read", "read")
ALL_HOOKS = [
    *((hooks, name) for name in HOOKS),
    *((copying, name) for name in HOOKS_OF_COPY),
    *((streaming, name) for name in HOOKS_OF_STREAM),
    *((connecting, name) for name in ("dialling", "unresolved", "connected", "failed")),
    *((listening, name) for name in ("notified", "waiting", "heard")),
]


ASKED_BEFORE = (80877103, 80877104)
"""SSLRequest and GSSENCRequest: the server refuses, and the client goes on."""


@dataclass
class Seen:
    given: str
    sent: list[list[bytes]]
    spans: list[Any]


def program(dsn: str) -> Any:
    """A bit of everything, whatever comes of it."""
    return [
        scenarios.values(dsn),
        scenarios.errors(dsn),
        scenarios.many(dsn),
        scenarios.cursors(dsn),
        scenarios.piece_by_piece(dsn),
        copy_scenarios.broken_copies(dsn),
        notify_scenarios.from_another(dsn),
        failure_scenarios.connects(dsn, ["nothing", "postgres"]),
        _unresolved(dsn),
        scenarios.broken(dsn),
    ]


@contextlib.contextmanager
def instrumentation() -> Iterator[InMemorySpanExporter]:
    """OpenTelemetry's instrumentor with an exporter that is not ours."""
    exporter, provider, instrumentor = InMemorySpanExporter(), TracerProvider(), PsycopgInstrumentor()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    yield exporter
    instrumentor.uninstrument()


@pytest.fixture
def instrumented() -> Iterator[InMemorySpanExporter]:
    with instrumentation() as exporter:
        yield exporter


@pytest.fixture(scope="module")
def without(postgres: PostgresServer) -> Seen:
    """What the program sees, sends and traces without us."""
    with instrumentation() as exporter:
        return watch(postgres, exporter)


def watch(server: PostgresServer, exporter: InMemorySpanExporter) -> Seen:
    proxy = RecordingProxy(server.port)
    exporter.clear()
    try:
        given = repr(program(server.dsn.replace(str(server.port), str(proxy.port))))
    finally:
        proxy.stop()
    spans = [_span(span, proxy.port) for span in exporter.get_finished_spans()]
    return Seen(_normal(given), [messages(bytes(each)) for each in proxy.sent], spans)


def messages(sent: bytes) -> list[bytes]:
    """What the client said, without Flush: in a pipeline psycopg asks for answers only if they are not there yet."""
    found, at, has_begun = [], 0, False
    while at < len(sent):
        start = at + has_begun  # of the length: what comes first has no kind before it
        end = max(start + 4, start + int.from_bytes(sent[start : start + 4], "big"))
        found.append(sent[at:end])
        has_begun = has_begun or int.from_bytes(sent[at + 4 : at + 8], "big") not in ASKED_BEFORE
        at = end
    return [message for message in found if message[:1] != b"H"]


def _normal(given: str) -> str:
    return re.sub(r"port \d+", "port N", given)


def _span(span: Any, port: int) -> Any:
    attributes = {name: value for name, value in span.attributes.items() if value != port}
    return span.name, span.kind, span.status.status_code, attributes, [event.name for event in span.events]


def test_messages_are_told_apart_after_what_a_client_asks_before_it_begins() -> None:
    ssl, gss = ((8).to_bytes(4, "big") + code.to_bytes(4, "big") for code in ASKED_BEFORE)
    startup = b"\0\0\0\x0d\0\3\0\0user\0"
    query, flush, sync = b"Q\0\0\0\7HH\0", b"H\0\0\0\4", b"S\0\0\0\4"
    assert messages(gss + ssl + startup + query + flush + sync + flush) == [gss, ssl, startup, query, sync]
    assert messages(startup + flush + query[:-1]) == [startup, query[:-1]]
    assert messages(b"") == []


def test_the_app_sees_the_same_errors_of_executemany_with_the_taps_in(postgres: PostgresServer) -> None:
    without = scenarios.many_failing(postgres.dsn)
    with taps():
        assert scenarios.many_failing(postgres.dsn) == without


def test_r12_the_app_and_the_server_see_the_same_with_the_taps_in(
    postgres: PostgresServer, instrumented: InMemorySpanExporter, without: Seen
) -> None:
    with taps() as tape:
        within = watch(postgres, instrumented)
    assert within == without
    assert len(tape.captured) > 100


@pytest.mark.parametrize(("module", "name"), ALL_HOOKS, ids=lambda each: each if isinstance(each, str) else "")
def test_an_app_does_not_notice_a_hook_that_raises(
    postgres: PostgresServer,
    instrumented: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    name: str,
    without: Seen,
) -> None:
    monkeypatch.setattr(module, name, failing)
    before = guard.failures["psycopg"]
    with taps(strict=False) as tape:
        within = watch(postgres, instrumented)
    assert within == without
    assert guard.failures["psycopg"] > before
    for exchange in tape.exchanges:  # whatever was recorded nevertheless is right
        if exchange.request.get("statement") == "select 1" and "results" in exchange.result:
            assert exchange.result["results"][0]["values"] == [["1"]]  # type: ignore[index, call-overload]


@pytest.mark.parametrize(("module", "name"), ALL_HOOKS, ids=lambda each: each if isinstance(each, str) else "")
def test_without_the_guard_a_hook_that_raises_is_seen(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    """The control of the test above: each hook is reached, and only the guard keeps its failure from the app."""
    monkeypatch.setattr(module, name, failing)
    monkeypatch.setattr("timetracer_otel.drivers.psycopg.record.guarded", lambda tap: lambda hook: hook)
    with taps(), pytest.raises(BaseException) as raised:
        reach(module, name)(postgres.dsn)
    assert "a hook failed" in [str(error) for error in chain(raised.value)]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all those that it was raised over."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def failing(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("a hook failed")


def reach(module: ModuleType, name: str) -> Callable[[str], Any]:
    """A program in which the hook's failure is not caught by psycopg itself."""
    if module is streaming:
        return partial(cursor_scenarios.streamed, count=3)
    if module is connecting:
        names = ["nothing"] if name == "failed" else ["postgres"]
        programs = {"unresolved": _unresolved, "connected": _connect_and_let_go}
        return programs.get(name) or partial(failure_scenarios.connects, names=names)
    if module is listening:
        return notify_scenarios.from_another
    if module is copying:
        return copy_scenarios.broken_copies if name == "broken" else copy_scenarios.copies
    if name == "noticed":
        return _raise_from_notices
    if name == "broken":
        return scenarios.broken_plainly
    return program


def _connect_and_let_go(dsn: str) -> None:
    """What the failing hook leaves open is gone before another test can be blamed for it."""
    failure = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            psycopg.connect(dsn)
        except RuntimeError as error:
            failure = str(error)
        gc.collect()
    if failure:
        raise RuntimeError(failure)


def _unresolved(dsn: str) -> Any:
    return asyncio.run(failure_scenarios.refused_connects_async(dsn))


def _raise_from_notices(dsn: str) -> None:
    # libpq calls back from C, where psycopg can only log what is raised: the handler is called as libpq would.
    with psycopg.connect(dsn) as connection:
        handler: Any = connection.pgconn.notice_handler
        handler(None)
