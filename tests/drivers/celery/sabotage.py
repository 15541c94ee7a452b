"""Imported by `payments` where SABOTAGE is set: whatever our taps do with what they hear raises.

"within": the copies that are made of it. "first": each guarded function before it does anything. "rest": so each but
those that begin something, without which others have nothing to do. "last": each of them after it has done all.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CellType
from typing import Any, NoReturn

from timetracer_otel.capture.guard import guarded
from timetracer_otel.drivers import celery
from timetracer_otel.drivers.celery import heard, lost, publishing, results, tasks

BEGIN = (
    *("tasks.on_prerun", "publishing._begin", "publishing._sends", "publishing.on_before_publish"),
    *("results._begin", "results._begin_get", "results._begin_of", "results._begin_state"),
)
RAISED = Path("raised")
"""One line for each time that a guarded function was made to raise."""


class Sabotage(Exception):
    pass


def fail(*args: object, **kwargs: object) -> NoReturn:
    raise Sabotage


def guards() -> Iterator[tuple[str, CellType]]:
    """Each guarded function of Celery's taps by name, with the cell in which its guard has it."""
    code = guarded("celery")(fail).__code__
    for found in pkgutil.iter_modules(celery.__path__):
        module = importlib.import_module(f"{celery.__name__}.{found.name}")
        for name, each in vars(module).items():
            if getattr(each, "__code__", None) is code and each.__module__ == module.__name__:
                cells = dict(zip(code.co_freevars, each.__closure__, strict=True))
                yield f"{found.name}.{name}", cells["function"]


def raising(name: str, function: Callable[..., Any], is_last: bool) -> Callable[..., NoReturn]:
    def sabotaged(*args: Any, **kwargs: Any) -> NoReturn:
        with RAISED.open("a") as raised:
            raised.write(name + "\n")
        if is_last:
            function(*args, **kwargs)
        raise Sabotage(name)

    return sabotaged


def begin(mode: str) -> None:
    if mode != "within":
        for name, cell in guards():
            if mode != "rest" or name not in BEGIN:
                cell.cell_contents = raising(name, cell.cell_contents, mode == "last")
        return
    for module in (heard, lost, publishing, results, tasks):
        for name in ("HeardTask", "HeardOutcome", "HeardPublish", "HeardRead", "HeardAnswer", "message_fields"):
            if hasattr(module, name):
                setattr(module, name, fail)
    publishing._end_span = fail


if "SABOTAGE" in os.environ:
    begin(os.environ["SABOTAGE"])
