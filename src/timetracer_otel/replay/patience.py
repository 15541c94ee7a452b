"""Short sleeps after a miss: the verdict is fixed by then, and an app that retries with back-off would wait on."""

from __future__ import annotations

import asyncio
import asyncio.tasks
import functools
import time
from collections.abc import Callable
from typing import Any, Final

CAP_S: Final = 0.05


class Patience:
    """Lasts until the first miss. Event loops and their timeouts stay as they are: only sleeps are cut."""

    def __init__(self) -> None:
        self._is_over = False
        self._undo: list[tuple[Any, Callable[..., Any]]] = []

    def end(self) -> None:
        self._is_over = True

    def install(self) -> None:
        """Before the app does `from time import sleep`."""
        self._undo = [(time, time.sleep), (asyncio, asyncio.sleep), (asyncio.tasks, asyncio.tasks.sleep)]
        time.sleep = self._cut(time.sleep)
        asyncio.sleep = asyncio.tasks.sleep = self._cut(asyncio.sleep)

    def uninstall(self) -> None:
        for module, original in self._undo:
            module.sleep = original
        self._undo = []

    def _cut(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def sleep(delay: float, *args: Any, **kwargs: Any) -> Any:
            return original(min(delay, CAP_S) if self._is_over else delay, *args, **kwargs)

        return sleep
