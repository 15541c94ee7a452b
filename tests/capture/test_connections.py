"""Connections that a process has made: which are remembered beyond the limit, and as whom."""

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
    known.add(pooled, has_changed=False)
    for number in range(2, 10):
        of_one_request = Connection(number, "botocore", "https://s3.eu-west-1.amazonaws.com", {})
        known.add(of_one_request, has_changed=False)
        assert known.of({1: None, number: None}) == (pooled, of_one_request)
    assert [each.number for each in known.all()] == [8, 1, 9]


def test_a_segment_has_the_settings_that_it_found_and_what_was_learnt_since() -> None:
    known = Connections()
    made, learnt, changed, last = (
        Connection(1, "psycopg", "db", {"is": each}) for each in ("made", "learnt", "x", "y")
    )
    known.add(made, has_changed=False)
    first = {1: known.at_first(1)}
    known.add(learnt, has_changed=False)
    assert known.of(first) == (learnt,)
    second = {1: known.at_first(1)}
    known.add(changed, has_changed=True)
    assert (known.of(first), known.of(second), known.of({1: known.at_first(1)})) == ((made,), (learnt,), (changed,))
    known.add(last, has_changed=True)
    assert known.of({1: None}) == (last,) == known.all()
