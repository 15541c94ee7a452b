"""The pool. `python -m notes.db` creates the table and fills it."""

import os

import psycopg
from psycopg_pool import AsyncConnectionPool

URL = os.environ.get("DATABASE_URL", "postgresql://notes@localhost:5432/notes")
TABLE = "CREATE TABLE notes (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, room text, text text, author text)"
NOTES = [("kitchen", "buy tea", "ming"), ("kitchen", "wash the mugs", None), ("garden", "water the roses", "ada")]


def make_pool() -> AsyncConnectionPool:
    return AsyncConnectionPool(URL, min_size=1, max_size=4, open=False)


if __name__ == "__main__":
    with psycopg.connect(URL) as connection:
        connection.execute(TABLE)
        connection.cursor().executemany("INSERT INTO notes (room, text, author) VALUES (%s, %s, %s)", NOTES)
