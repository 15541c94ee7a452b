"""What a command line comes to. Loads nothing: the shortest way through the command has no typer in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

NAME: Final = "timetracer-otel"
Task: TypeAlias = Callable[[], int]
"""Does what was asked for and returns the exit code."""
