"""Two recordings of one program: what differs is the application's data, not the server's clock."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient

from tests.drivers.pymongo.taping import taps
from tests.drivers.taping import ListTape
from tests.servers.mongo import MongoServer
from timetracer_otel.cassette.model import Cassette
from timetracer_otel.comparison.answers import differing
from timetracer_otel.comparison.noise import Noise

pytestmark = pytest.mark.usefixtures("spans")
NOISE = Noise(Cassette("", ()), Cassette("", ()))


def recorded(server: MongoServer, age: int) -> ListTape:
    with MongoClient[Any](server.uri) as client:
        client.diff.people.replace_one({"_id": 1}, {"age": age, "tags": ["a"]}, upsert=True)
        client.diff.rows.delete_many({})
        client.diff.rows.insert_many([{"_id": number} for number in range(5)])
        with taps() as tape:
            list(client.diff.rows.find(batch_size=2))
            client.diff.people.find_one({"_id": 1})
    return tape


def test_the_clock_of_the_server_and_cursors_are_no_difference_and_data_is(server: MongoServer) -> None:
    one, other, changed = recorded(server, 36), recorded(server, 36), recorded(server, 37)
    assert [list(differing(*pair, NOISE)) for pair in zip(one.exchanges, other.exchanges, strict=True)] == [[]] * 4
    (pair,) = [
        found for pair in zip(one.exchanges, changed.exchanges, strict=True) for found in differing(*pair, NOISE)
    ]
    assert [(slot.path, slot.shown) for slot in pair] == [
        ("replies[0].cursor.firstBatch[0].age", 36),
        ("replies[0].cursor.firstBatch[0].age", 37),
    ]
