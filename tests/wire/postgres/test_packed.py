"""Rows in one piece of bytes, and the same column by column."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.postgres.test_responses import row
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.postgres.packed import all_unpacked, unpacked
from timetracer_otel.wire.postgres.readable import to_readable
from timetracer_otel.wire.postgres.recorded import recorded

PACKED: dict[str, Any] = {
    "columns": [{"name": "id", "oid": 23}, {"name": "name", "oid": 25}],
    "formats": [1, 0],
    "rows": 2,
    "data": row(b"\0\0\0\1", b"Ann") + row(None, b"\xff"),
    "tag": "SELECT 2",
}
PLAIN = {
    **{key: value for key, value in PACKED.items() if key != "data"},
    "values": [[b"\0\0\0\1", None], ["Ann", b"\xff"]],
}


def test_packed_rows_are_the_same_as_plain_ones() -> None:
    assert unpacked(PACKED) == PLAIN
    assert unpacked(PLAIN) is PLAIN
    assert recorded({"results": [PACKED]}) == recorded({"results": [PLAIN]})
    assert to_readable({"results": [PACKED]}) == to_readable({"results": [PLAIN]})
    assert all_unpacked({"results": [PACKED, {"tag": "SET"}]}) == {"results": [PLAIN, {"tag": "SET"}]}


@pytest.mark.parametrize(
    "wrong", [{"rows": 3}, {"data": "text"}, {"data": b"D\0\0\0\1"}, {"formats": [1]}, {"data": row(b"1")}]
)
def test_rows_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        unpacked({**PACKED, **wrong})
    with pytest.raises(DamagedCassette):
        recorded({"results": [{**PACKED, **wrong}]})
