"""uuid4, recorded per call site and given back."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Iterator

import pytest

from timetracer_otel.capture import generated, guard


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(generated, "log", None)
    monkeypatch.setattr(generated, "source", None)
    monkeypatch.setattr(guard, "strict", False)
    yield
    generated.uninstall()
    guard.failures.clear()


def make() -> uuid.UUID:
    return uuid.uuid4()


def test_each_value_is_logged_with_its_call_site(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[tuple[str, uuid.UUID]] = []
    monkeypatch.setattr(generated, "log", lambda site, value: logged.append((site, value)))
    generated.install()
    first, second = make(), make()
    assert [value for _, value in logged] == [first, second]
    assert first != second
    assert first.version == 4
    assert logged[0][0] == logged[1][0]
    assert logged[0][0].startswith(f"{__name__}:make<{__name__}:test_each_value")
    assert len(logged[0][0].split("<")) == generated.DEPTH


def test_an_id_that_shows_in_no_exchange_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[uuid.UUID] = []
    monkeypatch.setattr(generated, "log", lambda _, value: logged.append(value))
    monkeypatch.setattr(generated, "unseen", {make.__code__})
    generated.install()
    assert make().version == 4
    assert logged == []
    other = uuid.uuid4()
    assert logged == [other]


def test_recorded_values_come_back_and_new_ones_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = [uuid.UUID(int=1, version=4)]
    monkeypatch.setattr(generated, "source", lambda *_: recorded.pop() if recorded else None)
    generated.install()
    assert make() == uuid.UUID(int=1, version=4)
    assert make() != make()


def test_a_log_that_fails_gives_the_app_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: str, __: uuid.UUID) -> None:
        raise RuntimeError

    monkeypatch.setattr(generated, "log", failing)
    generated.install()
    assert make().version == 4
    assert guard.counts() == {"uuid4": 1}


def test_uninstall_gives_the_original_back() -> None:
    generated.install()
    assert uuid.uuid4 is not generated.original
    generated.uninstall()
    assert uuid.uuid4 is generated.original


def test_it_is_pickled_and_printed_as_the_function_that_it_stands_for() -> None:
    """A dataclass or a task may carry it to a process that does not record."""
    generated.install()
    assert pickle.dumps(uuid.uuid4) == pickle.dumps(generated.uuid4)
    assert pickle.dumps(uuid.uuid4, 0).startswith(b"cuuid\nuuid4\n")
    assert (uuid.uuid4.__module__, uuid.uuid4.__qualname__) == ("uuid", "uuid4")


def test_an_id_function_that_a_module_has_imported_long_ago_is_reached_and_given_back() -> None:
    calls: list[tuple[str, uuid.UUID]] = []
    long_ago, code = generated.original, generated.original.__code__
    generated.log = lambda site, value: calls.append((site, value))
    generated.install()
    generated.reach_all()
    try:
        value = long_ago()
        assert [(site.partition("<")[0].rpartition(":")[2], value) for site, value in calls] == [
            ("test_an_id_function_that_a_module_has_imported_long_ago_is_reached_and_given_back", value)
        ]
        assert (value.version, value != generated.new()) == (4, True)
    finally:
        generated.log = None
        generated.uninstall()
    assert generated.original.__code__ is code
    long_ago()
    assert len(calls) == 1
