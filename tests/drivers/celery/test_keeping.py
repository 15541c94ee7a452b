"""What a backend asks its server for: the recorder hears none of it, and the backend does what it did."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import event
from sqlalchemy.engine import Engine

from timetracer_otel.capture.table import hushed
from timetracer_otel.drivers.celery import keeping
from timetracer_otel.drivers.patches import Patches


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    patches = Patches()
    keeping.install(patches)
    yield
    patches.undo()


@pytest.fixture
def heard() -> Iterator[list[bool]]:
    """For each statement that SQLAlchemy has sent since then, whether it would be recorded."""
    said: list[bool] = []

    def listen(*_: object) -> None:
        said.append(not hushed.get())

    event.listen(Engine, "before_cursor_execute", listen)
    yield said
    event.remove(Engine, "before_cursor_execute", listen)


def test_tables_and_results_of_a_database_are_celerys_own(tmp_path: Path, heard: list[bool]) -> None:
    app = Celery(backend=f"db+sqlite:///{tmp_path}/results.db", set_as_current=False)
    app.backend.store_result("a-1", {"total": 42}, "SUCCESS")
    assert app.backend.get_result("a-1") == {"total": 42}
    assert len(heard) > 3
    assert not any(heard)
    assert not hushed.get()
    with sqlite3.connect(tmp_path / "results.db") as results:
        assert results.execute("SELECT status FROM celery_taskmeta").fetchall() == [("SUCCESS",)]
    results.close()


def test_values_under_keys_are_celerys_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from celery.backends.cache import CacheBackend

    said: list[bool] = []
    original = CacheBackend.set

    def set_value(self: object, *args: object) -> object:
        said.append(not hushed.get())
        return original(self, *args)

    monkeypatch.setattr(CacheBackend, "set", set_value)
    app = Celery(backend="cache+memory://", set_as_current=False)
    app.backend.store_result("a-1", 42, "SUCCESS")
    assert (app.backend.get_result("a-1"), said) == (42, [False])


def test_what_a_backend_raises_comes_out_and_ends_the_silence(tmp_path: Path) -> None:
    app = Celery(backend=f"db+sqlite:///{tmp_path}/none/results.db", set_as_current=False)
    app.conf.database_create_tables_at_setup = False
    with pytest.raises(Exception, match="unable to open"):
        app.backend._get_task_meta_for("a-1")
    assert not hushed.get()
