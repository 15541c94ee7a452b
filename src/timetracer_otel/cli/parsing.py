"""From arguments to what they ask for, by typer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import typer

from timetracer_otel.cli.app import COMMANDS, app
from timetracer_otel.cli.task import NAME, Task
from timetracer_otel.errors import TimetracerError

ParseError: Final[type[Exception]] = typer.BadParameter.__mro__[2]
"""ClickException, the base of what parsing raises: newer releases of typer have a click of their own inside."""


def task(arguments: Sequence[str]) -> Task:
    """typer only parses: inside of it, interrupts and broken pipes get codes of its own.

    Raises TimetracerError for what it does not understand.
    """
    try:
        parsed = app(args=list(arguments), prog_name=NAME, standalone_mode=False)
    except ParseError as error:
        raise TimetracerError(_message(error, arguments)) from None
    except typer.Abort as error:  # of an interrupt, and of what a damaged file of bytecode raises
        raise error.__cause__ or KeyboardInterrupt() from None
    return parsed if callable(parsed) else lambda: int(parsed or 0)  # --help and --version have printed already


def _message(error: Exception, arguments: Sequence[str]) -> str:
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]  # every ClickException has it
    if message.startswith("No such command"):
        return f"{message.rstrip('.')}; the commands are {', '.join(COMMANDS)}"
    if message.startswith("No such option") and list(arguments[:1]) == ["exec"] and "--" not in arguments:
        return f"{message.rstrip('.')}; put -- before the program that is to run"
    return message
