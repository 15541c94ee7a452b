"""Options that several modules of commands share."""

from __future__ import annotations

from typing import Annotated, Optional, TypeAlias

import typer

# typer reads annotations at run time, on Python 3.10 too: hence Optional.
StoreOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--store", metavar="FOLDER", help="The folder of cassettes. [TIMETRACER_STORE; ./cassettes]"),
]
