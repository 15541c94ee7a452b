"""Options that several modules of commands share."""

from __future__ import annotations

from typing import Annotated, Optional, TypeAlias

import typer

# typer reads annotations at run time, on Python 3.10 too: hence Optional.
StoreOption: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--store", metavar="FOLDER", help="The folder of cassettes. [TIMETRACER_STORE; ./cassettes]"),
]
SecretOption: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--secret",
        metavar="NAME=VALUE",
        help="Send this in place of a masked secret; VALUE may be MODULE:FUNCTION(), which makes it.",
    ),
]
EarlierOption: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--earlier",
        metavar="TRACE",
        help="Answer also from this earlier request of the process, which kept what it asked; may be repeated.",
    ),
]
