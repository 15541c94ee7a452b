from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, TRACE_ID, part, query
from tests.cassette.strategies import cassettes
from timetracer_otel.cassette import (
    Cassette,
    Exchange,
    as_json,
    load_bundle,
    merge,
    readable,
    service_of,
)
from timetracer_otel.errors import Unconvertible

CASSETTE = merge(TRACE_ID, [ROOT_PART], [ENVIRONMENT_PART], "there")


def test_every_exchange_is_made_readable_where_it_can_be() -> None:
    def convert(exchange: Exchange) -> Exchange:
        if exchange.id.endswith("-2"):
            raise Unconvertible("no such type")
        return replace(exchange, result={"rows": [["12.50"]]})

    shown = readable(CASSETTE, convert)
    assert [exchange.result for exchange in shown.segments[0].exchanges] == [{"rows": [["12.50"]]}, query(2).result]
    (environment,) = shown.environments.values()
    assert [exchange.result for exchange in environment.exchanges] == [{"rows": [["12.50"]]}]
    assert readable(CASSETTE, lambda exchange: exchange) == CASSETTE


@given(cassettes())
def test_the_json_of_a_cassette_is_a_bundle_that_any_writer_takes(cassette: Cassette) -> None:
    text = json.dumps(as_json(cassette), allow_nan=False)
    assert repr(load_bundle(text.encode(), "")) == repr(cassette)


def test_a_process_stands_once_in_the_json_of_a_cassette() -> None:
    document = as_json(CASSETTE)
    assert [process["id"] for process in document["processes"]] == ["9f" * 16]
    assert document["segments"][0]["process"] == document["environments"][0]["process"] == "9f" * 16


def test_the_service_is_that_of_the_first_segment_that_names_one() -> None:
    assert service_of(CASSETTE) == "shop"
    assert service_of(merge(TRACE_ID, [part(0)])) is None
    assert service_of(merge(TRACE_ID, [part(0, resource={"service.name": 5})])) is None
