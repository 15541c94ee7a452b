"""What is asked for most, understood without typer, which takes longer to load than all else that these commands do:
`replay CASSETTE`, `list` and `list --last COUNT`, and `--help`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from timetracer_otel.cli.task import Task

COUNT_DIGITS = 9
HELP_COLUMNS = 80
"""In a terminal of so many columns, or more, typer prints the help that is kept."""


def task(arguments: Sequence[str]) -> Task | None:
    """None for whatever typer has to understand."""
    match list(arguments):
        case ["replay", cassette] if not cassette.startswith("-"):
            from timetracer_otel.cli import replaying

            return replaying.task(cassette)
        case ["list"]:
            from timetracer_otel.cli import listing

            return listing.task()
        case ["list", "--last", count] if is_count(count):
            from timetracer_otel.cli import listing

            return listing.task(last=int(count))
        case [] | ["--help"] if is_wide():
            return print_help
    return None


def is_count(text: str) -> bool:
    """A number that typer takes as well, and of which Python makes one at once."""
    return len(text) <= COUNT_DIGITS and text.isascii() and text.isdigit() and int(text) > 0


def print_help() -> int:
    from timetracer_otel.cli.help_text import HELP

    print(HELP, end="")
    return 0


def is_wide() -> bool:
    """Whether the terminal has `HELP_COLUMNS`, as `shutil.get_terminal_size` finds it; a file or a pipe has."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns) >= HELP_COLUMNS
    try:
        found = os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0
    except (OSError, ValueError):
        return True
    return not found or found >= HELP_COLUMNS
