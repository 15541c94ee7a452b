"""The one look at a whole exchange never calls clean what the long way would mask."""

from __future__ import annotations

import base64
import gzip
import hashlib
import tracemalloc
import zlib
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres import masking
from timetracer_otel.drivers.postgres.clean import LOOK_MAX_CELLS, suspicious
from timetracer_otel.redaction import SECRETS, Redactor, Rules
from timetracer_otel.redaction.places import Place, Places

KNOWN, LONG_KNOWN = "hunter22", "s3cr3t-session-0123456789"
TEXTS = ["", "ann", "tokyo", "4711", "AKIA" + "ABCDEFGHIJKLMNOP", '{"api_key": "12345678"}', "password=hunter2"]
PACKED = zlib.compress(b"password=hunter2")
SIGNATURE = base64.b64encode(hashlib.sha256(b"key").digest()).decode()
BYTES = [PACKED, f"\\x{PACKED.hex()}", f"\\x{b'password=hunter2'.hex()}", gzip.compress(b"plain"), SIGNATURE]
CELLS = st.sampled_from([None, b"\x00\x01", KNOWN, KNOWN.encode(), f"so {LONG_KNOWN}", "17", b"17", *TEXTS, *BYTES])
NAMES = st.sampled_from(["id", "name", "password", "X-Api-Key", "token", "page_token", "sig", "key_pair_id", "policy"])
STATEMENTS = [
    *("select name from t where id = $1", "select * from t where password = $1", "select 'x'", f"select '{KNOWN}'"),
    *("alter user u password 'x'", "insert into t (id, token) values ($1, $2)", ""),
]
OIDS = st.sampled_from([25, 114, 3802, 23, 2950, 17, 1184])
PLACES = Rules(SECRETS.names, SECRETS.patterns, Places((Place(("request", "parameters")),)))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"tag": "UPDATE 1"}
    width, height = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    columns = [{"name": draw(NAMES), "oid": draw(OIDS)} for _ in range(width)]
    cells = [[draw(CELLS) for _ in range(height)] for _ in range(width)]
    table: dict[str, Any] = {"columns": columns, "formats": [draw(st.sampled_from([0, 1])) for _ in columns]}
    is_readable = draw(st.booleans())
    rows = [list(row) for row in zip(*cells, strict=True)]
    return {**table, "rows": rows} if is_readable else {**table, "rows": height, "values": cells}


@st.composite
def exchanges(draw: st.DrawFn) -> Encoded:
    values = draw(st.lists(CELLS, max_size=3))
    request: dict[str, Any] = {"op": "query", "statement": draw(st.sampled_from(STATEMENTS))}
    if values:
        request["parameters"], request["parameter_formats"] = values, [0] * len(values)
        request["parameter_types"] = [draw(OIDS) for _ in values]
    result: dict[str, Any] = {"results": draw(st.lists(answers(), max_size=2)), "tx": "I"}
    if draw(st.integers(0, 4)) == 0:
        result["error"] = {"C": "23505", "D": f"Key (token)=({KNOWN}) already exists."}
    return Encoded("db.query", "psycopg", "SELECT", "shop", request, result)


def redactor(rules: Rules, knows_secrets: bool) -> Redactor:
    found = Redactor(b"key", rules).of_trace()
    if knows_secrets:
        found.value({"password": KNOWN, "token": LONG_KNOWN}, "")
    return found


@given(exchanges(), st.sampled_from([SECRETS, PLACES]), st.booleans())
@settings(max_examples=500, deadline=None)
def test_the_quick_look_gives_what_the_long_way_gives(exchange: Encoded, rules: Rules, knows_secrets: bool) -> None:
    quick = masking.mask(exchange, redactor(rules, knows_secrets))
    with patch.object(masking, "is_clean", return_value=False):
        assert masking.mask(exchange, redactor(rules, knows_secrets)) == quick


def test_an_exchange_of_plain_values_is_not_taken_apart() -> None:
    column = {"name": "name", "oid": 25}
    answer: dict[str, Any] = {"columns": [column], "formats": [0], "rows": 1, "values": [["ann"]], "tag": "SELECT 1"}
    request: dict[str, Any] = {
        **{"statement": STATEMENTS[0], "parameters": ["7"]},
        **{"parameter_types": [0], "parameter_formats": [0]},
    }
    exchange = Encoded("db.query", "psycopg", "SELECT", "shop", request, {"results": [answer], "tx": "I"})
    with patch.object(masking, "mask_statement", side_effect=AssertionError):
        assert masking.mask(exchange, redactor(SECRETS, knows_secrets=False)) == (exchange, ())


def test_a_large_answer_is_looked_at_without_being_in_memory_once_more() -> None:
    cells = [f"{number:01000}" for number in range(8000)]
    tracemalloc.start()
    try:
        assert not suspicious(cells, redactor(SECRETS, knows_secrets=False))
        assert tracemalloc.get_traced_memory()[1] < sum(map(len, cells)) // 2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("at", [0, LOOK_MAX_CELLS - 1, LOOK_MAX_CELLS, 2 * LOOK_MAX_CELLS])
def test_a_secret_is_seen_wherever_in_a_large_answer_it_stands(at: int) -> None:
    cells: list[Any] = ["ann", None] * (LOOK_MAX_CELLS + 1)
    cells[at] = "AKIA" + "ABCDEFGHIJKLMNOP"
    assert suspicious(cells, redactor(SECRETS, knows_secrets=False))
