"""Processes that end badly: what was recorded is in the store, and every file of it opens."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import launching
from tests.servers.postgres import PostgresServer
from timetracer_otel.store import Store

APP = """
import os
import psycopg
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

async def order(request):
    return JSONResponse({"id": request.path_params["id"], "process": os.getpid()})

async def stored(request):
    async with await psycopg.AsyncConnection.connect(os.environ["SHOP_DSN"]) as connection:
        cursor = await connection.execute("select %s::int + 1", (request.path_params["id"],))
        return JSONResponse({"id": (await cursor.fetchone())[0], "process": os.getpid()})

async def fail(request):
    raise ValueError("the app's own")

app = Starlette(routes=[Route("/orders/{id:int}", order), Route("/stored/{id:int}", stored), Route("/fail", fail)])
"""

ENDLESS = """
import sys
import timetracer_otel
timetracer_otel.install()
from opentelemetry import trace
tracer = trace.get_tracer("app")
tracer.start_span("warm-up", kind=trace.SpanKind[sys.argv[1]]).end()
trace.get_tracer_provider().force_flush()
print("ready", flush=True)
while True:
    with tracer.start_as_current_span("root", kind=trace.SpanKind[sys.argv[1]]):
        for number in range(20):
            with tracer.start_as_current_span(f"child {number}", attributes={"text": "x" * 5000}):
                pass
"""

FORKING = """
import os, sys
from opentelemetry import trace
tracer = trace.get_tracer("app")
with tracer.start_as_current_span("parent"):
    child = os.fork()
    with tracer.start_as_current_span("child" if child == 0 else "own"):
        pass
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


@pytest.mark.postgres
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_sigterm_straight_after_the_last_response_loses_no_cassette(
    app: Path, options: tuple[str, ...], postgres: PostgresServer
) -> None:
    store, paths = app / "store", [f"/stored/{number}" for number in range(12)]
    env = launching.recording(store, SHOP_DSN=postgres.dsn, **launching.SPARED)
    with launching.uvicorn("shop:app", app, env, *options) as (server, url):
        bodies = launching.get(url, paths)
        server.send_signal(signal.SIGTERM)
        server.wait(launching.TIMEOUT_S)
    listing = Store(store).list_traces()
    assert listing.problems == ()
    assert sorted(path_of(Store(store), trace.trace_id) for trace in listing.traces) == sorted(paths)
    assert all(trace.complete for trace in listing.traces)
    assert len({json.loads(body)["process"] for body in bodies}) <= 2


def path_of(store: Store, trace_id: str) -> str:
    """The path that was asked for. The cassette has the request, its query and the answers of both."""
    (segment,) = store.open_cassette(trace_id)[0].segments
    assert segment.entry is not None
    assert (segment.entry.name, segment.entry.outcome) == ("GET /stored/{id:int}", "200")
    (request,) = [one for one in segment.exchanges if one.type == "http.server"]
    queries = [one for one in segment.exchanges if one.type == "db.query"]
    assert "select $1::int + 1" in [one.request["statement"] for one in queries]
    assert all(one.complete and one.dropped is None for one in segment.exchanges)
    return str(request.request["path"])


@pytest.mark.long
@pytest.mark.timeout(1800)  # 200 processes, each with its start
@pytest.mark.parametrize("kind", ["SERVER", "INTERNAL"])
def test_kill_9_at_a_random_moment_leaves_only_whole_files(
    kind: str, tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    store, chance = tmp_path / "store", random.Random(kind)
    for _ in range(rounds(100)):
        _kill_at_some_moment(kind, store, chance.uniform(0, 0.2))
    listing = Store(store).list_traces()
    assert listing.problems == ()
    assert len(listing.traces) > 10
    names = [path for path in store.rglob("*") if path.is_file() and not path.name.startswith(".")]
    for trace in listing.traces:
        cassette, _ = Store(store).open_cassette(trace.trace_id)
        assert all(len(segment.spans) in (1, 21) for segment in cassette.segments)
    assert len(names) >= len(listing.traces)


def _kill_at_some_moment(kind: str, store: Path, delay_s: float) -> None:
    command = [sys.executable, "-c", ENDLESS, kind]
    env = launching.environment(TIMETRACER_STORE=str(store))
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
        program.kill()


def test_r26_a_file_where_the_store_should_be_leaves_a_server_unharmed(app: Path) -> None:
    store = app / "store"
    store.write_text("a file")
    code = """
import asyncio, httpx, shop
async def main():
    transport = httpx.ASGITransport(shop.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        for path in ("/orders/1", "/fail", "/orders/2"):
            print((await client.get(path)).status_code)
asyncio.run(main())
"""
    done = launching.launch(code, app, launching.recording(store, **launching.SPARED))
    assert (done.returncode, done.stdout.split()) == (0, ["200", "500", "200"])
    assert done.stderr.count("store.ENOTDIR failed") == 1
    assert store.read_text() == "a file"


QUIET_FORKS = ("-W", "ignore::DeprecationWarning")
"""Python 3.12 and newer warn of every fork of a process that has threads, as one under OpenTelemetry has."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_r25_a_forked_child_writes_its_own_part_and_nothing_of_its_parent(tmp_path: Path) -> None:
    store = tmp_path / "store"
    env = launching.recording(store, PYTHONWARNINGS=QUIET_FORKS[1], **launching.SPARED)
    done = launching.launch(FORKING, tmp_path, env)
    assert (done.returncode, launching.without_what_is_off(done.stderr)) == (0, "")
    (trace,) = Store(store).list_traces().traces
    cassette, _ = Store(store).open_cassette(trace.trace_id)
    by_names = {tuple(sorted(span.name for span in segment.spans)): segment for segment in cassette.segments}
    parent, child = by_names["own", "parent"], by_names["child",]
    assert child.parent_segment == parent.id
    assert child.process.parent == parent.process.id
    assert child.process.pid != parent.process.pid
    assert len(cassette.segments) == 2


FORK_WHILE_IMPORTING = """
import os, signal, sys, threading, time
import timetracer_otel
timetracer_otel.install()
from opentelemetry import trace
has_begun = threading.Event()
class Slow:
    def find_spec(self, name, path, target=None):
        if name == "timetracer_otel.store":
            has_begun.set()
            time.sleep(0.5)
sys.meta_path.insert(0, Slow())
tracer = trace.get_tracer("app")
tracer.start_span("GET /", kind=trace.SpanKind.SERVER).end()  # the writer's thread begins to import what it needs
assert has_begun.wait(30)
child = os.fork()
if child == 0:
    signal.alarm(60)
    tracer.start_span("child").end()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_r25_a_fork_while_the_writer_imports_does_not_block_the_child(tmp_path: Path) -> None:
    env = launching.environment(TIMETRACER_STORE=str(tmp_path / "store"))
    done = subprocess.run(
        [sys.executable, *QUIET_FORKS, "-c", FORK_WHILE_IMPORTING],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(Store(tmp_path / "store").list_traces().traces) == 2


def test_a_script_that_leaves_by_os_exit_keeps_what_it_ended(tmp_path: Path) -> None:
    store = tmp_path / "store"
    code = 'import os; from opentelemetry import trace; trace.get_tracer("app").start_span("root").end(); os._exit(3)'
    assert launching.launch(code, tmp_path, launching.recording(store, **launching.SPARED)).returncode == 3
    assert len(Store(store).list_traces().traces) == 1


def test_spans_open_at_the_end_are_written_as_incomplete(tmp_path: Path) -> None:
    store = tmp_path / "store"
    code = """
from opentelemetry import trace
tracer = trace.get_tracer("app")
root = tracer.start_span("root")
tracer.start_span("child", context=trace.set_span_in_context(root)).end()
"""
    done = launching.launch(code, tmp_path, launching.recording(store, **launching.SPARED))
    assert (done.returncode, launching.without_what_is_off(done.stderr)) == (0, "")
    (trace,) = Store(store).list_traces().traces
    assert not trace.complete
