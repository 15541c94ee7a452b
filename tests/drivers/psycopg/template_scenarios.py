"""Template strings (PEP 750, Python 3.14) as statements, as psycopg takes them since 3.3.

They are built as the compiler builds them of `t"..."`: that syntax would be an error in every older Python.
"""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from importlib import import_module
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.drivers.psycopg.scenarios import errors_of

LATE = datetime(2026, 11, 27, 23, 59, tzinfo=timezone.utc)


def template(*pieces: Any) -> Any:
    """Texts and values in turn; a value may be `(value, format)`, as in `{value:format}`."""
    made: Any = import_module("string.templatelib")
    values = [piece if isinstance(piece, tuple) else (piece, "") for piece in pieces[1::2]]
    fields = [made.Interpolation(value, "x", None, form) for value, form in values]
    texts = [*pieces[::2], ""][: len(fields) + 1]
    return made.Template(*[part for pair in zip(texts, [*fields, ""], strict=True) for part in pair])


def nested() -> Any:
    """A condition that another template holds."""
    return template("i > ", 2, " and i < ", (5, "l"))


def statements() -> list[Any]:
    return [
        template("select ", 1, "::int as a, ", "it's", "::text as b, ", None, "::text as c"),
        template("select ", (Decimal("1.50"), "s"), "::numeric, ", (LATE, "b"), "::timestamptz, ", ([1, None, 3], "t")),
        template(
            "select relname as ", ('odd "name', "i"), " from ", ("pg_class", "i"), " where relname = ", "pg_class"
        ),
        template("select ", ("literal 'quoted'", "l"), " as l, '100%' as percent"),
        template("select i from generate_series(1, 9) i where ", (nested(), "q")),
    ]


def templates(dsn: str) -> Any:
    seen: list[Any] = []
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        seen += [connection.execute(each).fetchall() for each in statements()]
        seen += [psycopg.ClientCursor(connection).execute(each).fetchall() for each in statements()]
        with connection.cursor(binary=True) as cursor:
            seen += [cursor.execute(each).fetchall() for each in statements()]
            seen += [[*cursor.stream(each)] for each in statements()]
        seen += errors_of(lambda: connection.execute(template("select 1 / ", 0)))
        with connection.transaction(), connection.cursor("named") as server_cursor:
            seen.append(server_cursor.execute(template("select generate_series(1, ", 4, ")")).fetchall())
        with connection.pipeline():
            waiting = [connection.execute(each) for each in statements()]
            seen += [each.fetchall() for each in waiting]
    return seen


async def templates_async(dsn: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return [await (await connection.execute(each)).fetchall() for each in statements()]


def changed(dsn: str) -> Any:
    """As `PART` says: what is asked in replay differs by one value."""
    from tests.drivers.psycopg import scenarios

    least = 2 if scenarios.PART == "record" else 3
    with psycopg.connect(dsn, autocommit=True) as connection:
        return errors_of(lambda: connection.execute(template("select i from generate_series(1, ", least, ") i")))
