from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.asgi.parts import MemoryTape, Telemetry, recording
from timetracer_otel.capture import guard
from timetracer_otel.drivers.asgi import lending


@pytest.fixture(autouse=True)
def strict_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure inside a tap fails the test."""
    monkeypatch.setattr(guard, "strict", True)


@pytest.fixture(autouse=True)
def budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own: some make bodies that no request ever gives back."""
    monkeypatch.setattr(lending, "budget", lending.Budget(lending.budget.max_bytes))


@pytest.fixture
def tape() -> Iterator[MemoryTape]:
    tape = MemoryTape()
    with recording(tape):
        yield tape


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()
