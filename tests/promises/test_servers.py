"""Cases R24 and R25: every worker of every server records, and what it recorded is in the store when it has ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.promises.running import run
from tests.promises.serving import COMMANDS, TIMEOUT_S, Load, Server, requests, serving, until
from tests.servers.postgres import PostgresServer
from timetracer_otel.cassette import Segment

pytestmark = pytest.mark.postgres

REQUESTS = 60
WORKERS = 3
SERVERS = [name for name in COMMANDS if name != "Celery"]
GEVENT = "gunicorn, gevent"
GUNICORN = [name for name in SERVERS if name.startswith("gunicorn")]
UVICORN_WORKER = "uvicorn.workers" if find_spec("uvicorn.workers") else "uvicorn_worker"
"""Releases of uvicorn that still have it say that it goes."""


def test_every_server_has_its_section() -> None:
    assert [name.partition(",")[0] for name in SERVERS] == [*["gunicorn"] * 4, "uvicorn", "hypercorn"]


@pytest.mark.parametrize("name", SERVERS)
def test_r24_60_requests_over_3_workers_and_sigterm_straight_after_are_60_cassettes(
    name: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    skip_without_gevent(name)
    with serving(COMMANDS[name], tmp_path, SHOP_DSN=postgres.dsn) as server:
        count = len(ask_every_worker(server))
        server.stop()
    assert_recorded(server, range(count))


@pytest.mark.parametrize("name", GUNICORN)
def test_r25_gunicorn_with_preload_leaves_60_cassettes_of_60_requests(
    name: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    skip_without_gevent(name)
    command = COMMANDS[name].replace("gunicorn ", "gunicorn --preload ")
    with serving(command, tmp_path, SHOP_DSN=postgres.dsn) as server:
        count = len(ask_every_worker(server))
        server.stop()
    found = assert_recorded(server, range(count))
    assert len({segment.process.parent for segment in found}) == 1  # the process that has loaded the app
    assert None not in {segment.process.parent for segment in found}


def test_r25_workers_that_gevent_patches_late_do_not_hang(tmp_path: Path, postgres: PostgresServer) -> None:
    """Threads become greenlets when OpenTelemetry and we are in already: one that waits for work would block all."""
    skip_without_gevent(GEVENT)
    command = COMMANDS[GEVENT].replace("OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH=patch_all ", "")
    assert command != COMMANDS[GEVENT]
    with serving(command, tmp_path, SHOP_DSN=postgres.dsn) as server:
        count = len(ask_every_worker(server))
        server.stop()
    found = assert_recorded(server, range(count))
    said = run(["timetracer-otel", "replay", str(server.store / found[0].trace_id)])
    assert said.returncode == 2
    assert "it is a request to a WSGI application, which is no entry; use `timetracer-otel exec`" in said.stderr


def skip_without_gevent(name: str) -> None:
    if name == GEVENT:
        pytest.importorskip("gevent")


def ask_every_worker(server: Server, workers: int = WORKERS, count: int = REQUESTS) -> list[int]:
    """The process that answered each request: `count` of them, or more if a worker was so late that it got none."""
    processes = server.ask(range(count))
    while len(set(processes)) < workers:
        assert len(processes) < 100 * count, server.log
        processes += server.ask(range(len(processes), len(processes) + 10))
    return processes


def assert_recorded(server: Server, numbers: Sequence[int]) -> list[Segment]:
    """Each request once, with its exchanges: its own, or the two queries of a WSGI request."""
    found = requests(server.store)
    assert [number for number, _ in found] == list(numbers), server.log
    for number, segment in found:
        assert_whole(number, segment)
    return [segment for _, segment in found]


def assert_whole(number: int, segment: Segment) -> None:
    assert all(exchange.complete and exchange.dropped is None for exchange in segment.exchanges)
    assert not segment.dropped
    if segment.exchanges[0].type == "http.server":
        (request,) = segment.exchanges
        assert str(request.request["path"]).endswith(f"/{number}")
    else:
        asked = [(one.request["statement"], one.request.get("parameters")) for one in segment.exchanges]
        assert asked == [("SELECT $1::text", [f"order {number}"]), ("SELECT pg_sleep(0.01)", None)]


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn, UvicornWorker"])
def test_r24_sigterm_straight_after_large_responses_waits_until_they_are_written(name: str, tmp_path: Path) -> None:
    """The process ends by its signal, past `atexit`, and the writer is slower than the server's way to its end."""
    with serving(COMMANDS[name].replace("--workers 3", "--workers 1"), tmp_path) as server:
        server.ask(range(40), "statements")
        server.stop()
    assert [number for number, _ in requests(server.store)] == list(range(40)), server.log


def test_r25_200_requests_to_preloading_gunicorn_with_a_reload_in_their_middle_are_all_recorded(tmp_path: Path) -> None:
    command = COMMANDS["gunicorn, UvicornWorker"].replace("--workers 3", "--preload --workers 4")
    with serving(command.replace("uvicorn_worker", UVICORN_WORKER), tmp_path) as server:
        reload_under_load(server, lambda: server.process.send_signal(signal.SIGHUP), 4, each=50, under_load=100)


RELOADING = {
    "gunicorn": (COMMANDS["gunicorn, its own ASGI worker"].replace("gunicorn ", "gunicorn --reload "), WORKERS),
    "uvicorn": (COMMANDS["uvicorn"].replace("--workers 3", "--reload"), 1),
}


@pytest.mark.parametrize("name", RELOADING)
def test_r24_a_server_that_reloads_changed_code_goes_on_recording(name: str, tmp_path: Path) -> None:
    command, workers = RELOADING[name]
    with serving(command, tmp_path) as server:
        module = tmp_path / "shop" / "web.py"
        # A reloader that has only just begun to look takes what it finds for unchanged: it is told until it has seen.
        reload_under_load(server, lambda: module.write_text(f"{module.read_text()}# changed\n"), workers, again_s=25)


def test_r24_workers_that_end_after_a_few_requests_lose_none(tmp_path: Path) -> None:
    command = COMMANDS["uvicorn"].replace("--workers 3", "--workers 2 --limit-max-requests 7")
    with serving(command, tmp_path) as server:
        with Load(server, 0) as load:
            until(lambda: len(set(load.answered.values())) >= 4, "no worker was replaced")
        server.stop()
    found = dict(requests(server.store))
    assert load.answered.keys() - found.keys() == set(), server.log
    for number in load.answered:
        assert_whole(number, found[number])


def reload_under_load(
    server: Server,
    reload: Callable[[], object],
    workers: int,
    each: int = 10,
    under_load: int = 10,
    again_s: float = TIMEOUT_S,
) -> None:
    """Requests before, while and after the workers change, and SIGTERM: every one that was answered is recorded."""
    before = ask_every_worker(server, workers, each)
    with Load(server, len(before)) as load:
        reload()
        told_s = time.monotonic()

        def are_all_new() -> bool:
            nonlocal told_s
            if time.monotonic() - told_s > again_s:
                told_s = time.monotonic()
                reload()
            return len({*load.answered.values()} - {*before}) >= workers

        # All of them: gunicorn waits half a minute for a worker that it asks to end while it begins.
        until(are_all_new, "not all new workers answer")
        until(lambda: len(load.answered) >= under_load and load.latest().isdisjoint(before), "old workers answer")
    after = range(1_000_000, 1_000_000 + each)
    assert set(before).isdisjoint(server.ask(after))
    server.stop()
    found = dict(requests(server.store))
    assert {*range(len(before)), *load.answered, *after} - found.keys() == set(), server.log
    assert found.keys() - {*range(len(before)), *load.sent, *after} == set()
    for number in load.answered:
        assert_whole(number, found[number])
