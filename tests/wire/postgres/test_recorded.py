from __future__ import annotations

from typing import Any

import pytest

from timetracer_otel.errors import DamagedCassette
from timetracer_otel.wire.postgres.answers import Parameter
from timetracer_otel.wire.postgres.recorded import parameters, recorded

ERROR = {"S": "ERROR", "C": "22012", "M": "division by zero"}


def test_parameters_are_read_as_the_driver_sent_them() -> None:
    request: dict[str, Any] = {
        "parameters": ["é", b"\0\x07", None],
        "parameter_types": [0, 21, 25],
        "parameter_formats": [0, 1, 0],
    }
    assert parameters(request) == (Parameter(0, 0, "é".encode()), Parameter(21, 1, b"\0\x07"), Parameter(25, 0, None))
    assert parameters({"statement": "select 1"}) == ()


@pytest.mark.parametrize(
    "request_",
    [
        {"parameters": 3},
        {"parameters": ["x"], "parameter_types": [1, 2]},
        {"parameters": ["x"], "parameter_types": [-1]},
        {"parameters": [{"a": 1}]},
    ],
)
def test_a_damaged_request_is_said_to_be_one(request_: dict[str, Any]) -> None:
    with pytest.raises(DamagedCassette, match=r"request of a db\.query"):
        parameters(request_)


def test_an_answer_is_its_results_its_error_and_its_notices() -> None:
    answer = recorded({"results": [{"tag": "SET"}], "error": ERROR, "notices": [ERROR]})
    assert [result.tag for result in answer.results] == ["SET"]
    assert answer.error == ERROR
    assert answer.notices == (ERROR,)


@pytest.mark.parametrize(
    "result",
    [
        {"results": [{"columns": [], "formats": [], "rows": -1, "values": []}]},
        {"results": [{"columns": [], "formats": [], "rows": 10**12, "values": []}]},
        {"results": [{"columns": [{"name": "a", "oid": 23}], "formats": [2], "rows": 0, "values": [[]]}]},
        {"results": [{"columns": [{"name": "a", "oid": 23}], "formats": [0], "rows": 2, "values": [["1"]]}]},
        {"results": [{"columns": [{"name": "a", "oid": 23}], "formats": [0], "rows": [["1", "2"]]}]},
        {"results": [{"columns": [{"name": "a", "oid": 23}], "formats": [0], "rows": [[{}]]}]},
        {"results": [{"columns": [{"name": "a", "oid": 23}], "formats": [0], "rows": 1, "values": [[1]]}]},
        {"results": [{"columns": [{"name": "a", "oid": 2**40}], "formats": [0], "rows": []}]},
        {"results": [{"columns": [{"name": "\ud800", "oid": 23}], "formats": [0], "rows": []}]},
        {"results": [{"tag": 3}]},
        {"error": {"C": "22012"}},
        {"error": {"code": "22012"}},
        {"notices": 3},
    ],
)
def test_a_damaged_result_is_said_to_be_one(result: dict[str, Any]) -> None:
    with pytest.raises(DamagedCassette, match=r"result of a db\.query"):
        recorded(result)


def test_settings_are_those_that_a_server_can_report() -> None:
    assert recorded({"results": [{"tag": "SET"}], "settings": {"TimeZone": "UTC"}}).settings == {"TimeZone": "UTC"}
    assert recorded({}).settings == {}
    with pytest.raises(DamagedCassette):
        recorded({"settings": {"TimeZone": "a\0b"}})
    with pytest.raises(DamagedCassette):
        recorded({"settings": ["TimeZone"]})
