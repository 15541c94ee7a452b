"""What an exchange with PostgreSQL is (`op` of its request; docs/cassette-format.md, "db.query")."""

from __future__ import annotations

from typing import Final

QUERY: Final = "query"
COMMAND: Final = "command"
"""Sent by the driver itself, such as BEGIN."""
DESCRIBE: Final = "describe"
"""The columns of a cursor are asked for."""
PREPARE: Final = "prepare"
"""A statement that was described and never run."""
PARSE: Final = "parse"
"""A statement that the server did not take, or for which its client did not wait, before it had any values."""
COPY_IN: Final = "copy_in"
COPY_OUT: Final = "copy_out"
NOTIFY: Final = "notify"
"""The app waits for notifications."""
WAIT: Final = b"wait for notifications"
"""What stands for the statement then."""
