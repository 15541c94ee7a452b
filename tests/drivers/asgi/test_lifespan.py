from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.drivers.asgi.parts import Message
from timetracer_otel.drivers.asgi import lifespan
from timetracer_otel.drivers.asgi.lifespan import Lifespan
from timetracer_otel.errors import ReplayError


async def go_through(app: Any) -> dict[str, Any]:
    async with Lifespan(app) as running:
        return dict(running.state)


def starlette_app(events: list[str], fail: str = "") -> Any:
    @contextlib.asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        events.append("start")
        if fail == "start":
            raise ConnectionError("no database\nat all")
        yield {"pool": "the pool"}
        events.append("stop")
        if fail == "stop":
            raise ConnectionError("cannot stop")

    return Starlette(lifespan=running)


def test_the_app_starts_before_and_stops_after_and_its_state_is_kept() -> None:
    events: list[str] = []
    assert asyncio.run(go_through(starlette_app(events))) == {"pool": "the pool"}
    assert events == ["start", "stop"]


def test_a_start_up_that_fails_is_one_clear_line() -> None:
    with pytest.raises(ReplayError) as caught:
        asyncio.run(go_through(starlette_app([], fail="start")))
    assert str(caught.value) == (
        "replay: the application's start-up failed: at all; "
        "the log has its traceback; it must start as it did when recorded"
    )


def test_a_shutdown_that_fails_is_no_outcome() -> None:
    events: list[str] = []
    assert asyncio.run(go_through(starlette_app(events, fail="stop"))) == {"pool": "the pool"}
    assert events == ["start", "stop"]


def test_a_poller_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `asyncio.wait_for` loses it before Python 3.12: `asyncio.run` would wait for good."""
    monkeypatch.setattr(lifespan, "CANCELLED_MAX_S", 0.1)
    lost: list[str] = []

    async def polls() -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append("lost")

    @contextlib.asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        poller = asyncio.create_task(polls())
        await asyncio.sleep(0)
        yield {"poller": poller}
        poller.cancel()

    state = asyncio.run(go_through(Starlette(lifespan=running)))
    assert state["poller"].cancelled()
    assert lost == ["lost"] * 2


def test_an_app_without_lifespan_starts_all_the_same() -> None:
    async def refuses(scope: Message, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"

    async def returns(scope: Message, receive: Any, send: Any) -> None:
        return None

    assert asyncio.run(go_through(refuses)) == {}
    assert asyncio.run(go_through(returns)) == {}


def test_an_app_that_goes_on_after_its_shutdown_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifespan, "FINISH_MAX_S", 0.01)
    cancelled: list[bool] = []

    async def stubborn(scope: Message, receive: Any, send: Any) -> None:
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    asyncio.run(go_through(stubborn))
    assert cancelled == [True]


def test_the_app_is_stopped_when_the_request_fails() -> None:
    events: list[str] = []

    async def failing() -> None:
        async with Lifespan(starlette_app(events)):
            raise RuntimeError("the request")

    with pytest.raises(RuntimeError, match="the request"):
        asyncio.run(failing())
    assert events == ["start", "stop"]
