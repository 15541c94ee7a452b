from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from timetracer_otel.cassette import Connection, Value
from timetracer_otel.drivers.asyncpg.replay import Stub


class Host:
    """As much of `ReplayHost` as a stub needs to say which connections are known."""

    def __init__(self, *parameters: dict[str, Value]) -> None:
        known = [Connection(number, "asyncpg", "postgresql://db/shop", each) for number, each in enumerate(parameters)]
        self._source = SimpleNamespace(connections=lambda lib: known)

    def current(self) -> tuple[Any, Any]:
        return self._source, None

    def serve(self, name: str, backend: Any) -> Any:
        return lambda: 5432


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([], {}),
        ([{"user": "app", "database": "shop"}] * 2, {"user": "app", "database": "shop"}),
        ([{"user": "app", "database": "shop"}, {"user": "app", "database": "audit"}], {"user": "app"}),
        ([{"user": None}], {}),
        ([{"user": "app", "database": ["a stranger's"]}, {"user": "app"}], {"user": "app"}),
    ],
)
def test_user_and_database_are_known_where_all_connections_agree(
    parameters: list[dict[str, Value]], expected: dict[str, str]
) -> None:
    stub: Any = Stub(Host(*parameters))  # type: ignore[arg-type]  # as much of a host as this needs
    assert stub.recorded() == expected
