"""The step before any program of the user's: `python -m timetracer_otel.replay.program -- COMMAND ...`.

Becomes the program under OpenTelemetry's launcher. Without a network namespace a program that would not load Python's
guards is refused: nothing would keep it from the real world.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from opentelemetry.instrumentation import auto_instrumentation

from timetracer_otel.errors import ReplayError
from timetracer_otel.replay import isolation, journal
from timetracer_otel.replay.children import LAUNCHER, unguarded

REFUSED: Final = 2
ADVICE: Final = "start the Python program itself, or replay on Linux where user namespaces are allowed"


def main(arguments: Sequence[str]) -> int:
    """2 when the program is refused; else it does not return."""
    command = list(arguments[arguments.index("--") + 1 :])
    if os.environ.get(isolation.VARIABLE) == isolation.GUARDS:
        # What the launcher is about to put there.
        led = {**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), LAUNCHER])}
        if (reason := unguarded(command[0], command, led)) is not None:
            problem = f"there is no network namespace here, and nothing else would guard it: {reason}"
            _refuse(ReplayError(f"exec {command[0]}", problem, ADVICE))
            return REFUSED
    sys.argv = ["opentelemetry-instrument", *command]
    auto_instrumentation.run()
    return REFUSED  # it has become the program


def _refuse(error: ReplayError) -> None:
    log = journal.open_named(os.environ.get(journal.VARIABLE))
    if log is not None:
        log.write("error", **journal.error_json(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
