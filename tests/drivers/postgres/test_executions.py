"""Many executions in one exchange: taken apart, described, masked; a stranger's is left as it is."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timetracer_otel.cassette.model import Exchange, Signature
from timetracer_otel.drivers.encoded import Encoded
from timetracer_otel.drivers.postgres.describe import PostgresDescribing
from timetracer_otel.drivers.postgres.executions import apart
from timetracer_otel.drivers.postgres.masking import mask
from timetracer_otel.redaction import Redactor
from timetracer_otel.wire.postgres.messages import cell, message

SQL = "insert into accounts (id, password) values ($1, $2) returning id"
SECRET = b"hunter2-hunter2"
ID: dict[str, Any] = {"name": "id", "oid": 23, "size": 4, "mod": -1, "table": 0, "attnum": 0}


def row(*values: bytes) -> bytes:
    return message(b"D", struct.pack("!H", len(values)) + b"".join(map(cell, values)))


def number(value: int) -> bytes:
    return struct.pack("!i", value)


def exchange(count: int, packed: bool, returning: bool = True) -> Exchange:
    bound = [(number(at), SECRET + str(at).encode()) for at in range(count)]
    values: dict[str, Any] = {"values": [list(column) for column in zip(*bound, strict=True)]}
    table: dict[str, Any] = {
        "columns": [ID],
        "formats": [1],
        "rows": count,
        "values": [[number(at) for at in range(count)]],
    }
    return Exchange(
        id="test-1",
        type="db.query",
        signature=Signature("asyncpg", "INSERT", "shop"),
        request={
            "op": "query",
            "statement": SQL,
            "parameter_types": [23, 25],
            "prepared": True,
            "executions": {
                "formats": [1, 1],
                "rows": count,
                **({"data": b"".join(row(*each) for each in bound)} if packed else values),
            },
        },
        result={
            **({"results": [table]} if returning else {}),
            "executions": [[int(returning), "INSERT 0 1", count]],
            "notices": [{"C": "00000", "M": "noted"}],
            "tx": "I",
        },
        at_ns=100,
        duration_ns=count * 10,
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("returning", [False, True])
def test_each_execution_is_an_exchange_of_its_own(packed: bool, returning: bool) -> None:
    first, second, third = apart(exchange(3, packed, returning))
    assert [each.id for each in (first, second, third)] == ["test-1[0]", "test-1[1]", "test-1[2]"]
    assert [each.at_ns for each in (first, second, third)] == [100, 110, 120]
    assert second.request["parameters"] == [number(1), SECRET + b"1"]
    assert second.request["parameter_formats"] == [1, 1]
    answers: Any = second.result["results"]
    assert [answer["tag"] for answer in answers] == ["INSERT 0 1"]
    assert ("values" in answers[0]) is returning
    assert ("notices" in first.result, "notices" in second.result) == (True, False)
    assert ("tx" in second.result, third.result["tx"]) == (False, "I")


def test_readable_form_comes_apart_alike() -> None:
    wire, described = exchange(3, True), PostgresDescribing()
    readable = described.readable(wire)
    parts = [described.readable(each) for each in apart(wire)]
    assert [each.result for each in apart(readable)] == [each.result for each in parts]


def test_an_execution_that_failed_has_the_error_and_no_result() -> None:
    whole = exchange(2, False, returning=False)
    failed: dict[str, Any] = {
        "executions": [[0, "INSERT 0 1", 1], [0, None, 1]],
        "error": {"C": "23505", "M": "duplicate"},
        "tx": "I",
    }
    good, bad = apart(replace(whole, result=failed))
    assert good.result == {"results": [{"tag": "INSERT 0 1"}]}
    assert bad.result == {"error": {"C": "23505", "M": "duplicate"}, "tx": "I"}


def test_they_are_described_by_their_number() -> None:
    described = PostgresDescribing().describe(exchange(3, True, returning=False))
    assert described is not None
    assert (described.note, described.outcome) == ("3 executions", "INSERT 0 1, 3 times")


@pytest.mark.parametrize("packed", [False, True])
def test_secrets_among_their_values_are_masked_and_their_paths_follow_them(packed: bool) -> None:
    whole = exchange(30, packed)
    encoded = Encoded("db.query", "asyncpg", "INSERT", "shop", whole.request, whole.result)
    masked, paths = mask(encoded, Redactor())
    assert SECRET not in repr(masked).encode()
    assert paths == ("request.executions.values[1]",)
    parts = apart(replace(whole, request=masked.request, result=masked.result, redacted=paths))
    assert len(parts) == 30
    assert parts[7].redacted == ("request.parameters[1]",)
    values: Any = parts[7].request["parameters"]
    assert values[0] == number(7)


@pytest.mark.parametrize("packed", [False, True])
def test_what_looks_like_a_secret_is_masked_under_any_name(packed: bool) -> None:
    key = ("AKIA" + "ABCDEFGHIJKLMNOP").encode()
    values = [(number(at), key if at == 7 else b"plain") for at in range(30)]
    columns = [list(column) for column in zip(*values, strict=True)]
    bound = {"data": b"".join(row(*each) for each in values)} if packed else {"values": columns}
    request = {**exchange(1, packed).request, "statement": "insert into notes (id, note) values ($1, $2)"}
    request["executions"] = {"formats": [1, 1], "rows": 30, **bound}
    masked, paths = mask(Encoded("db.query", "asyncpg", "INSERT", "shop", request, {}), Redactor())
    assert key not in repr(masked).encode()
    assert paths == ("request.executions.values[1]",)


def test_values_without_secrets_stay_in_one_piece() -> None:
    request = {**exchange(30, True).request, "statement": "insert into notes (id, note) values ($1, $2)"}
    encoded = Encoded("db.query", "asyncpg", "INSERT", "shop", request, {})
    assert mask(encoded, Redactor()) == (encoded, ())


JSON = st.recursive(
    st.none() | st.integers(-2, 1 << 40) | st.text(max_size=3) | st.binary(max_size=9),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["rows", "formats", "values", "data"]), children, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON)
def test_a_strangers_executions_come_apart_or_stay_as_they_are(executions: Any, runs: Any, results: Any) -> None:
    whole = exchange(1, False)
    strange = replace(
        whole,
        request={**whole.request, "executions": executions},
        result={"results": results, "executions": runs},
    )
    parts = apart(strange)
    assert parts == (strange,) or all("executions" not in each.request for each in parts)
    PostgresDescribing().describe(strange)
