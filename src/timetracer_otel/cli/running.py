"""From arguments to an exit code: every failure that is not a bug of ours is one line on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final, TextIO

from timetracer_otel.cli import quick
from timetracer_otel.cli.task import NAME, Task
from timetracer_otel.errors import TimetracerError

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
STDERR: Final = 2
BROKEN_PIPE: Final = 141
"""As a shell reports a program that SIGPIPE ended; not 1, which is the exit code of a replay that deviates."""


def run(arguments: Sequence[str]) -> int:
    """The exit code."""
    _open_what_is_closed()
    _print_what_cannot_be_encoded(sys.stdout, sys.stderr)
    try:
        code = _task(arguments)()
        sys.stdout.flush()
    except BrokenPipeError:  # `timetracer-otel list | head`
        _forget_stdout()
        return BROKEN_PIPE
    except TimetracerError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(_os_message(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _task(arguments: Sequence[str]) -> Task:
    """What the arguments ask for."""
    if (task := quick.task(arguments)) is not None:
        return task
    from timetracer_otel.cli import parsing

    return parsing.task(arguments)


def _refuse(message: str) -> int:
    from timetracer_otel.cassette.escaping import safe  # --help needs no model

    print(f"{NAME}: {safe(message)}", file=sys.stderr)
    return BAD_INPUT


def _os_message(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{os.fspath(error.filename)}: {reason}" if isinstance(error.filename, (str, os.PathLike)) else reason


def _open_what_is_closed() -> None:
    """Without it (`>&-`) the next file to be opened would be stdout, and what we or the app print would go there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  they stay open as long as we run
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _print_what_cannot_be_encoded(*streams: TextIO) -> None:
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]  # a TextIOWrapper, of sys


def _forget_stdout() -> None:
    """Python flushes stdout when it ends, and would complain about the pipe then."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
