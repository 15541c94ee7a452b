"""What is printed. A name, statement or value may come from a stranger's cassette: none of them drives the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cassette.escaping import safe, visible_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

UNLIMITED_WIDTH: Final = 100_000
GAP: Final = "   "
RULE: Final = "─"
"""Between columns, and under their headings, as rich has them."""


def safe_lines(text: str) -> list[str]:
    return [safe(line) for line in text.split("\n")]


def one_line(text: str) -> str:
    """A statement as it fits into a table: each run of blanks and line breaks is one blank."""
    return safe(" ".join(text.split()))


def json_text(document: Any) -> str:
    """Indented JSON, which a terminal may be shown: what is not visible stands as an escape of JSON."""
    import json

    return visible_json(json.dumps(document, indent=2, ensure_ascii=False))


def console() -> Console:
    """For tables. Without a terminal nothing is cut: a file or a pipe has no width."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else UNLIMITED_WIDTH
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], elastic: Sequence[str] = ()) -> None:
    """`elastic` columns give way where the terminal is too narrow. Every cell must be `safe`."""
    lines = None if sys.stdout.isatty() else _plain_lines(headings, rows)
    for line in _fitted_lines(headings, rows, elastic) if lines is None else lines:
        print(line.rstrip())


def _plain_lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Those of rich, which takes its time; None where a character may be wider than others, or a cell is two lines."""
    if not all(cell.isascii() and cell.isprintable() for row in (headings, *rows) for cell in row):
        return None
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [GAP.join(map(str.ljust, row, widths)) for row in (headings, *rows)]
    return [lines[0], RULE * len(lines[0]), *lines[1:]]


def _fitted_lines(headings: Sequence[str], rows: Sequence[Sequence[str]], elastic: Sequence[str]) -> list[str]:
    """In a terminal no wider than that."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        # rich narrows the columns that may wrap and leaves the others alone; the cells themselves never wrap.
        table.add_column(_cell(heading), no_wrap=heading not in elastic)
    for row in rows:
        table.add_row(*map(_cell, row))
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(table)
    return captured.get().splitlines()


def _cell(text: str) -> Text:
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")
