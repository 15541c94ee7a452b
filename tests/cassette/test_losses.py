from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, TRACE_ID
from tests.cassette.strategies import cassettes
from timetracer_otel.cassette import Cassette, as_json, load_bundle, merge
from timetracer_otel.cassette.losses import first_loss

CASSETTE = merge(TRACE_ID, [ROOT_PART], [ENVIRONMENT_PART])
DOCUMENT: dict[str, Any] = as_json(CASSETTE)


def loss(text: bytes) -> str | None:
    return first_loss(text, as_json(load_bundle(text, "b")))


@given(cassettes())
def test_a_bundle_of_this_release_loses_nothing(cassette: Cassette) -> None:
    assert loss(orjson.dumps(as_json(cassette))) is None


def test_what_a_reader_passes_over_is_named_with_its_place() -> None:
    segment = DOCUMENT["segments"][0]
    assert loss(orjson.dumps({**DOCUMENT, "note": "by hand"})) == "note"
    assert loss(orjson.dumps({**DOCUMENT, "segments": [{**segment, "queues": []}]})) == "segments[0].queues"
    exchanges = [segment["exchanges"][0], {**segment["exchanges"][1], "via": "proxy"}]
    changed = {**DOCUMENT, "segments": [{**segment, "exchanges": exchanges}]}
    assert loss(orjson.dumps(changed)) == "segments[0].exchanges[1].via"


def test_a_process_that_nothing_names_is_a_loss() -> None:
    processes = [*DOCUMENT["processes"], {"id": "00" * 16}]
    assert loss(orjson.dumps({**DOCUMENT, "processes": processes})) == "1 of processes"


@pytest.mark.parametrize("name", [b'"trace_id"', b'"complete"', b'"service.name"', b'"tx"'])
def test_an_object_that_has_a_key_twice_is_read_by_its_last_and_would_lose_the_first(name: bytes) -> None:
    text = orjson.dumps(DOCUMENT)
    twice = text.replace(name + b":", name + b':"first",' + name + b":", 1)
    assert load_bundle(twice, CASSETTE.path) == CASSETTE
    assert loss(twice) == f"the first {name.decode()[1:-1]!r} of an object that has it twice"
