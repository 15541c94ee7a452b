from __future__ import annotations

import pytest

from timetracer_otel.wire.postgres.cursors import CursorCommand, cursor_command, nameless


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('DECLARE "my""c" SCROLL CURSOR FOR select 1', CursorCommand("DECLARE", 'my"c')),
        ("fetch forward 10 from C", CursorCommand("FETCH", "c", is_page=True, max_rows=10)),
        ("fetch 10 in c", CursorCommand("FETCH", "c", is_page=True, max_rows=10)),
        ("fetch c", CursorCommand("FETCH", "c", is_page=True, max_rows=1)),
        ("fetch next from c", CursorCommand("FETCH", "c", is_page=True, max_rows=1)),
        ("FETCH FORWARD ALL FROM c;", CursorCommand("FETCH", "c", is_page=True)),
        ("fetch all from c", CursorCommand("FETCH", "c", is_page=True)),
        ("fetch backward 2 from c", CursorCommand("FETCH", "c")),
        ("fetch -2 from c", CursorCommand("FETCH", "c")),
        ("fetch prior from c", CursorCommand("FETCH", "c")),
        ("fetch absolute 2 from c", CursorCommand("FETCH", "c", is_absolute=True)),
        ("move absolute 3 from c", CursorCommand("MOVE", "c", is_absolute=True)),
        ("move 3 from c", CursorCommand("MOVE", "c")),
        ("close c", CursorCommand("CLOSE", "c")),
        ("close all", None),
        ("close", None),
        ("fetch 1 from a; fetch 1 from b", None),
        ("select 1", None),
        ("", None),
    ],
)
def test_what_a_statement_does_to_a_cursor(sql: str, expected: CursorCommand | None) -> None:
    assert cursor_command(sql) == expected


def test_a_cursor_has_no_name_where_statements_are_compared() -> None:
    assert nameless('DECLARE "a" CURSOR FOR  select "a"') == nameless('DECLARE "b" CURSOR FOR select "a" ;')
    assert nameless("move 3 from a") == "move 3 from ?"
