"""`replay CASSETTE` and no option, as it is asked for most: understood without typer, which takes longer to load than
all else that the command does."""

from __future__ import annotations

from collections.abc import Sequence

from timetracer_otel.cli.task import Task


def task(arguments: Sequence[str]) -> Task | None:
    """None for whatever typer has to understand."""
    if len(arguments) != 2 or arguments[0] != "replay" or arguments[1].startswith("-"):
        return None
    from timetracer_otel.cli import replaying

    return replaying.task(arguments[1])
