"""What several modules of commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Optional, TypeAlias

import typer

Task: TypeAlias = Callable[[], int]
"""Does what was asked for and returns the exit code."""

# typer reads annotations at run time, on Python 3.10 too: hence Optional.
StoreOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--store", metavar="FOLDER", help="The folder of cassettes. [TIMETRACER_STORE; ./cassettes]"),
]
