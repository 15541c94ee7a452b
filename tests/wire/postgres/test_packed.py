"""Rows in one piece of bytes, and the same column by column."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.postgres.test_responses import row
from timetracer_otel.errors import DamagedCassette, WireError
from timetracer_otel.wire.postgres.conversion import Style
from timetracer_otel.wire.postgres.packed import all_unpacked, messages, unpacked
from timetracer_otel.wire.postgres.readable import to_readable
from timetracer_otel.wire.postgres.recorded import Table, recorded
from timetracer_otel.wire.postgres.rendering import rows

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
    packed, plain = table_of(PACKED), table_of(PLAIN)
    assert (packed.columns, packed.formats, packed.count, packed.values) == (
        *(plain.columns, plain.formats, plain.count, plain.values),
    )
    assert [*rows(packed, (1, 0), Style())] == rows(plain, (1, 0), Style())
    assert b"".join(rows(packed, (1, 0), Style())) == PACKED["data"]
    assert rows(packed, (0, 0), Style()) == rows(plain, (0, 0), Style())
    assert to_readable({"results": [PACKED]}) == to_readable({"results": [PLAIN]})
    assert all_unpacked({"results": [PACKED, {"tag": "SET"}]}) == {"results": [PLAIN, {"tag": "SET"}]}


def table_of(result: dict[str, Any]) -> Table:
    (found,) = recorded({"results": [result]}).results
    assert found.table is not None
    return found.table


LAYOUTS = [
    row(*cells)
    for cells in [(b"1", b"22"), (b"22", b"1"), (b"1", b"22"), (None, b"333"), (b"333", None), (b"4" * 300, b"")] * 3
]


def test_rows_of_many_layouts_are_the_same_one_by_one() -> None:
    many = [row(b"1" * size, b"2" * (size % 7)) for size in range(600)]
    for wanted in (LAYOUTS, many):
        packed = {**PACKED, "formats": [1, 1], "rows": len(wanted), "data": b"".join(wanted)}
        assert messages(packed) == wanted


@pytest.mark.parametrize("at", range(len(LAYOUTS)))
@pytest.mark.parametrize("change", [2, -1, 256])
def test_a_length_that_is_not_that_of_its_value_is_found_in_any_row(at: int, change: int) -> None:
    whole = LAYOUTS[at]
    length = int.from_bytes(whole[7:11], "big", signed=True) + change
    broken = whole[:7] + length.to_bytes(4, "big", signed=True) + whole[11:]
    data = b"".join([*LAYOUTS[:at], broken, *LAYOUTS[at + 1 :]])
    with pytest.raises(WireError):
        messages({**PACKED, "rows": len(LAYOUTS), "data": data})


@pytest.mark.parametrize(
    "wrong",
    [
        *({"rows": 3}, {"data": "text"}, {"data": b"D\0\0\0\1"}, {"formats": [1]}, {"data": row(b"1")}),
        *({"data": PACKED["data"][:-1]}, {"data": PACKED["data"] + b"D"}),
        {"data": row(b"1", b"2") + row(b"1", b"2")[:-1]},
        {"data": row(b"1", b"2") + b"C" + row(b"1", b"2")[1:]},
    ],
)
def test_rows_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        unpacked({**PACKED, **wrong})
    with pytest.raises(DamagedCassette):
        recorded({"results": [{**PACKED, **wrong}]})
