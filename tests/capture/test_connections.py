"""Connections that a process has made: which are remembered beyond the limit."""

from __future__ import annotations

import pytest

from timetracer_otel.capture import connections
from timetracer_otel.capture.connections import Connections
from timetracer_otel.cassette.model import Connection


def test_beyond_the_limit_a_pools_connection_stays_while_those_of_single_requests_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    known = Connections()
    pooled = Connection(1, "asyncpg", "postgresql://app@db/shop", {})
    known.add(pooled)
    for number in range(2, 10):
        of_one_request = Connection(number, "botocore", "https://s3.eu-west-1.amazonaws.com", {})
        known.add(of_one_request)
        assert known.of({1, number}) == (pooled, of_one_request)
    assert [each.number for each in known.all()] == [8, 1, 9]
