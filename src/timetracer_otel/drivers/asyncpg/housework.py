"""Statements that asyncpg sends by itself: they are never the application's, and replay answers them alone."""

from __future__ import annotations

from enum import Enum
from typing import Final

from timetracer_otel.wire.postgres.statements import remembered

CATALOGUE: Final = "WITH RECURSIVE typeinfo_tree("
BY_NAME: Final = "SELECT t.oid, t.typelem AS elemtype, t.typtype AS kind FROM pg_catalog.pg_type AS t "
BY_NUMBER: Final = f"{BY_NAME}WHERE t.oid = $1"
READ_JIT: Final = "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new"
WRITE_JIT: Final = "SELECT set_config('jit', $1, false)"
RESET: Final = "SELECT pg_advisory_unlock_all();"
RESETS: Final = frozenset({RESET, "CLOSE ALL;", "UNLISTEN *;", "RESET ALL;"})


class Housework(Enum):
    """What such a statement is for."""

    CATALOGUE = "types by their number, with all that they are made of"
    BY_NAME = "one type by its name"
    BY_NUMBER = "one type that every server has: before 0.30"
    READ_JIT = "just-in-time compilation is switched off for the next one"
    WRITE_JIT = "and on again"
    RESET = "a pool takes a connection back"
    PING = "an empty statement: SQLAlchemy's pool looks whether a connection lives"


LEARNS: Final = frozenset({Housework.CATALOGUE, Housework.BY_NAME})
"""The answers to these are kept: they say what types the database has."""


@remembered
def housework(sql: str) -> Housework | None:
    """What `sql` is for; None for a statement of the application's. Source: asyncpg 0.29 to 0.32, introspection.py,
    connection.py (`_introspect_types`, `get_reset_query`)."""
    if sql.startswith(CATALOGUE):
        return Housework.CATALOGUE
    if sql.startswith(RESET) and set(sql.split("\n")) <= RESETS:
        return Housework.RESET
    if not sql.lstrip(" ;"):
        return Housework.PING
    plain = " ".join(sql.split()) if len(sql) < 1000 else ""
    if plain.startswith(BY_NAME):
        return Housework.BY_NUMBER if plain == BY_NUMBER else Housework.BY_NAME
    return {READ_JIT: Housework.READ_JIT, WRITE_JIT: Housework.WRITE_JIT}.get(plain)
