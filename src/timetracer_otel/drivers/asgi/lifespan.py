"""Start-up and shutdown of an app, as servers do it: an app without the lifespan protocol starts all the same."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Final

from timetracer_otel.drivers.asgi.heard import Message
from timetracer_otel.drivers.asgi.tap import App
from timetracer_otel.errors import ReplayError

log = logging.getLogger("timetracer_otel")

FINISH_MAX_S: Final = 5.0
CANCELS_MAX: Final = 5
CANCELLED_MAX_S: Final = 1.0
"""So long a task may take to clean up before it is cancelled once more."""


class Lifespan:
    """An async context manager around everything the app does; `state` is what each request gets a copy of."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> Lifespan:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        self._task = asyncio.ensure_future(self._app(scope, self._to_app.get, self._from_app.put))
        answer = await self._tell("lifespan.startup")
        if answer is not None and answer["type"] == "lifespan.startup.failed":
            await self._finish()
            message = str(answer.get("message", ""))
            log.error("timetracer: the application's start-up failed in replay\n%s", message)
            problem = f"the application's start-up failed: {_last_line(message)}"
            raise ReplayError("replay", problem, "the log has its traceback; it must start as it did when recorded")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None and not self._task.done():
            await self._tell("lifespan.shutdown")
        await self._finish()
        await _end_tasks()

    async def _finish(self) -> None:
        """A shutdown that fails is no outcome of the request: it is waited for, and asked for, so that nobody warns."""
        assert self._task is not None
        await asyncio.wait([self._task], timeout=FINISH_MAX_S)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def _tell(self, kind: str) -> Message | None:
        """The app's answer; None if it ended without one."""
        assert self._task is not None
        await self._to_app.put({"type": kind})
        answer = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait([self._task, answer], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None if self._from_app.empty() else self._from_app.get_nowait()


async def _end_tasks() -> None:
    """As the end of a loop does it, but again: before Python 3.12 `asyncio.wait_for` may lose a cancellation, and the
    end of the loop would wait for good for a poller that goes on."""
    for _ in range(CANCELS_MAX):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=CANCELLED_MAX_S)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")
