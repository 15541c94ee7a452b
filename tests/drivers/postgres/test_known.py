from __future__ import annotations

import pytest

from timetracer_otel.cassette import Connection, Value
from timetracer_otel.drivers.asyncpg.catalogue import Catalogue
from timetracer_otel.drivers.postgres.known import agreed


def connections(*parameters: dict[str, Value]) -> list[Connection]:
    return [Connection(number, "asyncpg", "postgresql://db/shop", each) for number, each in enumerate(parameters)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([], ""),
        ([{}], ""),
        ([{"user": "app"}, {"user": "app"}], "app"),
        ([{"user": "app"}, {"user": "audit"}], ""),
        ([{"user": "app"}, {}], ""),
        ([{"user": None}], ""),
        ([{"user": ["a stranger's"]}, {"user": {}}], ""),
    ],
)
def test_what_all_connections_have_is_agreed(parameters: list[dict[str, Value]], expected: str) -> None:
    assert agreed(connections(*parameters), "user") == expected


def test_a_type_without_a_number_is_none() -> None:
    """A stranger may have made the file."""
    types: list[Value] = [
        {"name": "mood"},
        {"oid": [], "name": "mood"},
        {"oid": 70_000, "name": "mood", "ns": "public"},
    ]
    catalogue = Catalogue(connections({"types": types}))
    assert catalogue.unknown([70_000, 70_001]) == [70_001]
