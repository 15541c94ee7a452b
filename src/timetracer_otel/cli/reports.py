"""Where the reports of replays go: files for machines, the terminal for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from timetracer_otel.cli import settings
from timetracer_otel.cli.output import json_text
from timetracer_otel.errors import UsageError

if TYPE_CHECKING:
    from timetracer_otel.replay.summary import Summary

STDOUT: Final = "-"
STYLES: Final = {
    "no recorded answer for": "bold red",
    "deviates": "bold red",
    "failed": "bold red",
    "outcome differs": "red",
    "recorded but not made": "red",
    "inconclusive": "bold yellow",
    "uncontrolled": "yellow",
    "changed since": "yellow",
    "same": "bold green",
}
"""By how a line begins; only the first of a block does."""


@dataclass(frozen=True, slots=True)
class Files:
    """The options `--json`, `--junit` and `--markdown`: a file each, `-` for stdout, None for none."""

    json: str | None = None
    junit: str | None = None
    markdown: str | None = None

    @property
    def takes_stdout(self) -> bool:
        """The text for people is not printed then."""
        return STDOUT in (self.json, self.junit, self.markdown)

    def check(self) -> None:
        """Before the replay: it may take a minute. Raises UsageError for a file that cannot be written."""
        options: dict[str, list[str]] = {}
        for option, path in self._named():
            if path != STDOUT and settings.file_to_write(option, path).is_dir():
                raise UsageError(option, f"{path!r} is a folder", "name a file, or - for stdout")
            options.setdefault("stdout" if path == STDOUT else os.path.realpath(path), []).append(option)
        for place, several in options.items():
            if len(several) > 1:
                raise UsageError(", ".join(several), f"each would be written to {place}", "name a file for all but one")

    def save(self, summary: Summary, document: Any) -> None:
        """`document`: what `--json` gets. (Any: it goes into a JSON writer.)"""
        if self.json is not None:
            _write(self.json, f"{json_text(document)}\n")
        if self.junit is not None:
            from timetracer_otel.replay.junit import render_junit

            _write(self.junit, render_junit(summary).decode())
        if self.markdown is not None:
            from timetracer_otel.replay.markdown import render_markdown

            _write(self.markdown, render_markdown(summary))

    def _named(self) -> Iterator[tuple[str, str]]:
        paths = {"--json": self.json, "--junit": self.junit, "--markdown": self.markdown}
        yield from ((option, path) for option, path in paths.items() if path is not None)


NO_FILES: Final = Files()


def _write(path: str, text: str) -> None:
    if path == STDOUT:
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:  # that of a disk that is full names no file
        raise OSError(error.errno, error.strerror, path) from None


def print_report(text: str) -> None:
    """On a terminal with what matters in colour, else as it is."""
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.console import Console
    from rich.text import Text

    terminal = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
    for line in text.splitlines():
        terminal.print(Text(line, style=style_of(line)), soft_wrap=True)


def style_of(line: str) -> str:
    """The style of a line of a report; empty for an ordinary one."""
    return next((style for beginning, style in STYLES.items() if line.startswith(beginning)), "")
