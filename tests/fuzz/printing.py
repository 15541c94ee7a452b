"""What the command line prints of a cassette, in this process."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Final

from timetracer_otel.cassette import Cassette
from timetracer_otel.cassette.escaping import is_hidden
from timetracer_otel.cli.running import run
from timetracer_otel.store import dump_bundle

COMMANDS: Final = ("show", "timeline", "list")
LAYOUT: Final = "\n"


def print_cassette(cassette: Cassette) -> str:
    """Of `show`, `timeline` and `list`. Raises AssertionError for a command that fails."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "one.cassette.json")
        path.write_bytes(dump_bundle(cassette))
        return "".join(_printed(command, str(path)) for command in COMMANDS)


def _printed(*arguments: str) -> str:
    kept, stdout = sys.stdout, io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    sys.stdout = stdout
    try:
        code = run(arguments)
        stdout.flush()
    finally:
        sys.stdout = kept
    assert code in (0, 2), (arguments, code)
    return stdout.buffer.getvalue().decode()


def check_printed(text: str) -> None:
    """Raises AssertionError for a character that a terminal would act upon."""
    hidden = sorted({character for character in text if is_hidden(character) and character != LAYOUT})
    assert not hidden, f"printed as they are: {hidden!a}"
