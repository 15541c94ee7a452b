"""A recording in this process, with a provider of its own: the global one belongs to nobody here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer

from tests.exporters.fake import Codec
from timetracer_otel.capture import guard
from timetracer_otel.cassette import Cassette
from timetracer_otel.config import Settings
from timetracer_otel.drivers import registry
from timetracer_otel.exporters import active
from timetracer_otel.store import Store


class Recording:
    """What records, where it writes, and a tracer whose spans reach it."""

    def __init__(self, settings: Settings) -> None:
        self.active = active.start(settings)
        self.provider = TracerProvider(shutdown_on_exit=False)
        active.attach(self.provider)
        self.tracer: Tracer = self.provider.get_tracer("tests")
        self.store = Store(settings.store)

    def cassettes(self) -> list[Cassette]:
        """All of them, oldest first; every file of the store must open."""
        assert self.active.processor.force_flush()
        listing = self.store.list_traces()
        assert listing.problems == ()
        return [self.store.open_cassette(trace.trace_id)[0] for trace in reversed(listing.traces)]

    def cassette(self) -> Cassette:
        (cassette,) = self.cassettes()
        return cassette


@pytest.fixture(autouse=True)
def _guard_raises(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A failure inside the guard fails the test; one that wants it to end there sets `strict` back."""
    monkeypatch.setattr(guard, "strict", True)
    guard.failures.clear()
    yield
    guard.failures.clear()


@pytest.fixture(autouse=True)
def _fake_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        registry.DRIVERS, "fake", registry.Driver(module="tests.exporters", instrumentors=(), library="")
    )
    original = registry.codec
    monkeypatch.setattr(registry, "codec", lambda name: Codec() if name == "fake" else original(name))


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[[Settings], Recording]]:
    """Starts a recording with these settings, which ends with the test."""
    yield Recording
    active.stop()


@pytest.fixture
def recording(record: Callable[[Settings], Recording], tmp_path: Path) -> Recording:
    return record(Settings(store=str(tmp_path / "store")))
