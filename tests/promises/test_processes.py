"""Cases R24 and R25 for processes that an application starts itself: what they did is recorded, and recorded once."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launching import launch, without_what_is_off
from tests.promises.serving import COMMANDS, TIMEOUT_S, number_of, recorded, serving, shop, variables
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Segment

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
]

ONE_SERVER = COMMANDS["uvicorn"].replace("--workers 3 ", "")
QUIET_FORKS = {"PYTHONWARNINGS": "ignore::DeprecationWarning"}
"""Python 3.12 and newer warn of every fork of a process that has threads, as one under OpenTelemetry has."""


def work(folder: Path, arguments: str, dsn: str, **more: str) -> str:
    """What `shop.work` printed, under the launcher."""
    env = variables(folder, OTEL_TRACES_EXPORTER="timetracer", SHOP_DSN=dsn, **QUIET_FORKS, **more)
    done = subprocess.run(
        ["opentelemetry-instrument", sys.executable, "-m", "shop.work", *shlex.split(arguments)],
        cwd=shop(folder),
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, without_what_is_off(done.stderr)) == (0, "")
    return done.stdout


def segments(store: Path) -> dict[str, Segment]:
    """By the name of their root."""
    found = [segment for trace in recorded(store) for segment in trace]
    names = [segment.root.name if segment.root else "none" for segment in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def queries(segment: Segment) -> list[tuple[object, object]]:
    return [(each.request["statement"], each.request["parameters"]) for each in segment.exchanges if each.complete]


def test_r25_what_a_forked_child_asks_for_under_its_parents_span_is_in_the_trace(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """OpenTelemetry makes no span in the child for COPY and COMMIT."""
    assert work(tmp_path, "transactions 1", postgres.dsn) == "[0]\n"
    (trace,) = recorded(tmp_path / "store")
    (child,) = [segment for segment in trace if segment.parent_segment is not None]
    statements = ["BEGIN", "SELECT $1::text", "COPY (SELECT 1) TO STDOUT", "COMMIT"]
    assert [exchange.request["statement"] for exchange in child.exchanges] == statements


FORKED = ["pool 4 fork", "executor 4 fork", "forks 4"]
SPAWNED = ["pool 2 spawn", "pool 2 forkserver", "executor 2 spawn", "programs 2"]


@pytest.mark.parametrize("arguments", FORKED)
def test_r25_forked_children_of_a_script_add_their_segments_to_its_trace(
    arguments: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    work(tmp_path, arguments, postgres.dsn)
    found = segments(tmp_path / "store")
    parent = found.pop("prices")
    assert sorted(found) == [f"price {number}" for number in range(4)]
    for name, child in found.items():
        assert (child.trace_id, child.parent_segment, child.process.parent) == (
            parent.trace_id,
            parent.id,
            parent.process.id,
        )
        assert queries(child) == [("SELECT $1::text", [name])]


@pytest.mark.parametrize("arguments", SPAWNED)
def test_r24_children_that_are_no_forks_are_recorded_as_traces_of_their_own(
    arguments: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    work(tmp_path, arguments, postgres.dsn)
    found = segments(tmp_path / "store")
    assert sorted(found) == ["price 0", "price 1", "prices"]
    assert len({segment.trace_id for segment in found.values()}) == 3
    for number in range(2):
        assert queries(found[f"price {number}"]) == [("SELECT $1::text", [f"price {number}"])]
        assert found[f"price {number}"].process.pid != found["prices"].process.pid


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_r25_a_child_of_multiprocessing_ends_when_the_writer_has_written(
    method: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    """It leaves by `os._exit`, past `atexit`, while the thread that writes has hardly begun."""
    assert work(tmp_path, f"processes 3 {method}", postgres.dsn) == "[0, 0, 0]\n"
    assert sorted(segments(tmp_path / "store")) == ["price 0", "price 1", "price 2", "prices"]


FORK_WHILE_THE_TAPE_IS_BUSY = """
import os, threading, time
from opentelemetry import trace
from timetracer_otel.exporters import active

is_busy, is_over = threading.Event(), threading.Event()
def write_to_the_tape():
    with active.active().recorder._lock:
        is_busy.set()
        is_over.wait(60)
threading.Thread(target=write_to_the_tape).start()
is_busy.wait(60)
child = os.fork()
if child == 0:
    trace.get_tracer("shop").start_span("child").end()
    os._exit(0)
for _ in range(200):
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    time.sleep(0.05)
else:
    os.kill(child, 9)
is_over.set()
print(ended == child and status)
"""


def test_r25_a_fork_while_another_thread_holds_the_tape_does_not_hang_the_child(tmp_path: Path) -> None:
    """OpenTelemetry's SDK makes a uuid4 in the child, in a thread that it waits for, before hooks of ours run there."""
    env = variables(tmp_path, OTEL_TRACES_EXPORTER="timetracer", **QUIET_FORKS)
    done = launch(FORK_WHILE_THE_TAPE_IS_BUSY, tmp_path, env)
    assert (done.stdout, without_what_is_off(done.stderr)) == ("0\n", "")
    assert sorted(segments(tmp_path / "store")) == ["child"]


@pytest.mark.parametrize("path", ["forks-on-the-loop", "forks-in-a-thread"])
def test_r25_200_forks_in_requests_neither_hang_nor_lose_nor_repeat_anything(path: str, tmp_path: Path) -> None:
    with serving(ONE_SERVER, tmp_path, **QUIET_FORKS) as server:
        server.ask(range(200), path)
        server.stop()
    numbers = []
    for trace in recorded(server.store):
        request, child = sorted(trace, key=lambda segment: segment.parent_segment is not None)
        numbers.append(number_of(request))
        assert (child.parent_segment, child.process.parent) == (request.id, request.process.id)
        assert [span.name for span in child.spans] == ["in the child"]
        assert [exchange.type for exchange in request.exchanges] == ["http.server"]
    assert sorted(numbers) == list(range(200))


def test_r24_pools_of_processes_in_requests_are_recorded(tmp_path: Path, postgres: PostgresServer) -> None:
    with serving(ONE_SERVER, tmp_path, SHOP_DSN=postgres.dsn, **QUIET_FORKS) as server:
        for number, method in enumerate(("fork", "spawn", "forkserver")):
            server.get(number, f"prices-{method}")
        server.stop()
    found = [segment for trace in recorded(server.store) for segment in trace]
    priced = {name_of(segment): segment for segment in found if name_of(segment).startswith("price ")}
    asked = {number_of(segment): segment for segment in found if segment.id not in {one.id for one in priced.values()}}
    assert (sorted(priced), sorted(asked)) == ([f"price {number}" for number in range(3)], [0, 1, 2])
    assert [priced[f"price {number}"].parent_segment for number in range(3)] == [asked[0].id, None, None]
    assert [queries(priced[name]) for name in sorted(priced)] == [
        [("SELECT $1::text", [name])] for name in sorted(priced)
    ]


def name_of(segment: Segment) -> str:
    return segment.root.name if segment.root is not None else ""
