"""Which programs load Python's guards when they start: this Python, led to them by its environment. Pure but for the
look at the program's file."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from shutil import which
from typing import Final

LAUNCHER: Final = os.path.join("instrumentation", "auto_instrumentation")
"""End of the folder on PYTHONPATH whose `sitecustomize` loads us."""
NEEDED: Final = ("TIMETRACER_MODE", "TIMETRACER_CASSETTE")
IGNORING: Final = "IES"
"""Options of Python that ignore its environment (-I, -E) or load no `sitecustomize` (-S)."""
TAKING_A_VALUE: Final = "WX"
ENDING: Final = "cm"
LONG_WITH_VALUE: Final = "--check-hash-based-pycs"
LINE_MAX: Final = 512


def unguarded(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """Why a program would run without the guards; None when it would load them, or is not there to be run."""
    found = which(program, path=environment.get("PATH", os.defpath)) or which(program)
    if found is None:
        return "it is not found from here" if os.path.dirname(program) and not os.path.isabs(program) else None
    options = list(arguments[1:])
    if not is_this_python(found):
        found, *before = _interpreter(found) or [found]
        if not is_this_python(found):
            return "it is not this Python"
        options = [*before, program]
    if ignored := [letter for letter in _letters(options) if letter in IGNORING]:
        return f"python -{ignored[0]} would not load the guards"
    return _misled(environment)


def is_this_python(program: str) -> bool:
    """True for the interpreter that runs us, under any of its names: another environment may lack what we need."""
    return os.path.realpath(program) == os.path.realpath(sys.executable) and _venv(program) == _venv(sys.executable)


def _venv(program: str) -> str | None:
    folder = os.path.dirname(os.path.dirname(os.path.abspath(program)))
    return os.path.realpath(folder) if os.path.isfile(os.path.join(folder, "pyvenv.cfg")) else None


def _interpreter(script: str) -> list[str] | None:
    """Interpreter and options of a script's first line; None for what is no script."""
    try:
        with open(script, "rb") as file:
            line = file.readline(LINE_MAX)
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    words = shlex.split(os.fsdecode(line[2:]))
    if words and os.path.basename(words[0]) == "env":
        words = [which(words[1]) or words[1], *words[2:]] if len(words) > 1 else []
    return words or None


def _letters(options: Sequence[str]) -> str:
    """The single-letter options before the script, module or code."""
    found, words = "", iter(options)
    for word in words:
        if word == LONG_WITH_VALUE:
            next(words, None)
        elif not word.startswith("-") or word == "-":
            break
        elif not word.startswith("--"):
            letters, takes_next = _flags(word[1:])
            found += letters
            if letters and letters[-1] in ENDING:
                break
            if takes_next:
                next(words, None)
    return found


def _flags(word: str) -> tuple[str, bool]:
    """The options in `-Bu`, `-Werror`, `-cprint()`; and whether the next word is the value of the last."""
    for number, letter in enumerate(word):
        if letter in ENDING:
            return word[: number + 1], False
        if letter in TAKING_A_VALUE:
            return word[: number + 1], number + 1 == len(word)
    return word, False


def _misled(environment: Mapping[str, str]) -> str | None:
    if environment.get("TIMETRACER_MODE") != "replay" or not environment.get("TIMETRACER_CASSETTE"):
        return f"its environment lacks {' and '.join(NEEDED)} of this replay"
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    if not any(folder.endswith(LAUNCHER) for folder in folders):
        return "its PYTHONPATH lacks the folder that loads the guards"
    return None
