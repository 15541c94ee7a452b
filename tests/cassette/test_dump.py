from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import orjson
import pytest
from hypothesis import given

from tests.cassette.samples import ENVIRONMENT_PART, ROOT_PART, query
from tests.cassette.strategies import any_value, environment_parts, parts
from timetracer_otel.cassette import (
    EnvironmentPart,
    Part,
    Value,
    compress,
    dump_environment,
    dump_exchange,
    dump_part,
    load_environment,
    load_part,
)
from timetracer_otel.cassette.values import MAX_DEPTH, decode
from timetracer_otel.errors import Unconvertible


@given(parts)
def test_a_part_survives_the_trip_through_its_file(part: Part) -> None:
    assert repr(load_part(compress(dump_part(part)), "p")) == repr(part)


@given(environment_parts)
def test_an_environment_survives_the_trip_through_its_file(part: EnvironmentPart) -> None:
    assert repr(load_environment(dump_environment(part), "p")) == repr(part)


def test_a_part_takes_exchanges_that_were_dumped_before() -> None:
    texts = [dump_exchange(query(7))]
    assert load_part(dump_part(ROOT_PART, texts), "p") == replace(ROOT_PART, exchanges=(query(7),))
    assert load_part(dump_part(ROOT_PART, []), "p") == replace(ROOT_PART, exchanges=())
    assert load_environment(dump_environment(ENVIRONMENT_PART, texts), "p").exchanges == (query(7),)


def test_an_exchange_that_cannot_be_encoded_fails_alone() -> None:
    with pytest.raises(Unconvertible, match="builtins\\.complex"):
        dump_exchange(replace(query(1), result={"values": [1j]}))  # type: ignore[list-item]  # what is to be refused


def test_the_file_has_the_fields_of_the_format() -> None:
    document = orjson.loads(dump_part(ROOT_PART))
    assert list(document) == [
        "timetracer",
        "trace_id",
        "part",
        "segment",
        "complete",
        "parent_segment",
        "entry",
        "resource",
        "connections",
        "spans",
        "generated",
        "pools",
        "dropped",
        "process",
        "exchanges",
    ]
    assert document["timetracer"] == 1
    assert document["exchanges"][0] == {
        "id": "9f9f9f9f-1",
        "rev": 0,
        "span_id": "b2" * 8,
        "type": "db.query",
        "complete": True,
        "signature": {"lib": "psycopg", "method": "SELECT", "url": "shop.orders"},
        "target": "postgresql://app@db:5432/shop",
        "connection": 1,
        "transaction": None,
        "at_ns": 1000,
        "duration_ns": 500,
        "request": {
            "op": "query",
            "statement": "select total from orders where id = $1",
            "parameters": [{"$b64": "AP8="}],
        },
        "result": {"results": [{"rows": 1, "values": [["12.50"]], "tag": "SELECT 1"}], "tx": "I"},
    }


@given(any_value)
def test_whatever_an_exchange_holds_its_text_is_json(value: Value) -> None:
    text = dump_exchange(replace(query(1), result={"value": value}))
    assert repr(decode(orjson.loads(text)["result"])) == repr({"value": value})


def test_the_deepest_payload_that_is_written_is_read() -> None:
    deepest: Value = 1
    for _ in range(MAX_DEPTH - 2):  # the exchange and its result are two levels
        deepest = [deepest]
    part = replace(ROOT_PART, exchanges=(replace(query(1), result={"value": deepest}),))
    assert load_part(dump_part(part), "p") == part


def test_importing_what_a_recorder_imports_loads_no_heavy_library() -> None:
    program = (
        "import sys\n"
        "from timetracer_otel.cassette import Part, compress, dump_environment, dump_exchange, dump_part\n"
        "from timetracer_otel.store import Store\n"
        "Store('cassettes')\n"
        "print([name for name in ('orjson', 'zstandard', 'timetracer_otel.cassette.loading') if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
