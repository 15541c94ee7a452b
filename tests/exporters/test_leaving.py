"""A server of uvicorn ends when what it served is on disk. Children of multiprocessing: tests/promises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from uvicorn import Config
from uvicorn.server import Server

from timetracer_otel.exporters import leaving


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each flush."""
    threads: list[threading.Thread] = []
    monkeypatch.setattr(Server, "shutdown", Server.shutdown)  # it is put back after the test
    leaving.follow_uvicorn(lambda: threads.append(threading.current_thread()))
    return threads


async def app(scope: object, receive: object, send: object) -> None:
    """Never asked."""


@pytest.fixture
def server() -> Server:
    return Server(Config(app, port=0, lifespan="off", log_level="critical"))


async def serve(server: Server, before_end: Callable[[], object]) -> None:
    serving = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    before_end()
    server.should_exit = True
    await serving


def test_a_server_flushes_after_its_shutdown_and_off_its_loop(server: Server, flushes: list[threading.Thread]) -> None:
    asyncio.run(serve(server, before_end=lambda: flushes.append(threading.main_thread())))
    first, second = flushes
    assert first is threading.main_thread()  # ours, while it serves
    assert second is not first


def test_a_server_that_is_forced_to_end_does_not_wait(server: Server, flushes: list[threading.Thread]) -> None:
    asyncio.run(serve(server, before_end=lambda: setattr(server, "force_exit", True)))
    assert flushes == []


def test_without_another_thread_the_loop_waits(
    server: Server, flushes: list[threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_thread(function: Callable[[], object]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(asyncio, "to_thread", no_thread)
    asyncio.run(serve(server, before_end=lambda: None))
    assert flushes == [threading.main_thread()]
