"""The command `timetracer-otel`: parse, call, print."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

EXTRA: Final = ("typer", "rich")
"""What the extra `cli` installs."""


def main() -> None:
    """Runs the command line and exits: 0, 1 after a deviation, 2 after bad input, 3 after an undecided replay."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        print(
            f"timetracer-otel: {' and '.join(missing)} not installed; run: pip install 'timetracer-otel[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    from timetracer_otel.cli.running import run

    sys.exit(run(sys.argv[1:]))
