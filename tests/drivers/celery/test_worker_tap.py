# mypy: disable-error-code="untyped-decorator"
# Celery has no types.
"""The ear of a worker, without a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery

from tests.drivers.taping import ListTape
from timetracer_otel.capture import table
from timetracer_otel.drivers.celery import tasks
from timetracer_otel.drivers.celery.codec import CODEC

app = Celery("yielding", set_as_current=False)


@app.task(name="yielding.add")
def add(one: int, other: int) -> int:
    return one + other


class WorkerTape(ListTape):
    def entry_began(self) -> None: ...


@pytest.fixture
def tape() -> Iterator[WorkerTape]:
    tape = WorkerTape(CODEC)
    table.activate(tape)
    yield tape
    table.activate(None)


@pytest.mark.parametrize(("is_eager", "yields"), [(False, 1), (True, 0)])
def test_a_worker_gives_way_before_it_runs_a_task_and_no_caller_of_an_eager_one_does(
    is_eager: bool, yields: int, tape: WorkerTape, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []
    monkeypatch.setattr(tasks, "give_way", lambda: given.append(True))
    add.push_request(id="a-1", args=(1, 2), kwargs={}, is_eager=is_eager)
    try:
        tasks.on_prerun(task=add)
        tasks.on_postrun(task=add, state="SUCCESS", retval=3)
    finally:
        add.pop_request()
    assert len(tape.captured) == 1
    assert tape.captured[0].closed_ns
    assert len(given) == yields
