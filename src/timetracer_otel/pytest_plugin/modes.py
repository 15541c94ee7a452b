"""What is done with marked tests: option > TIMETRACER_MODE > ini > replay. On CI nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast, get_args

from timetracer_otel.errors import UsageError

Mode: TypeAlias = Literal["replay", "missing", "record", "off"]
MODES: Final = get_args(Mode)
OPTION: Final = "--timetracer"
INI: Final = "timetracer_mode"
VARIABLE: Final = "TIMETRACER_MODE"
RUNNER: Final = "TIMETRACER_JOURNAL"
"""Set where the whole process is a replay already: `timetracer-otel exec CASSETTE -- pytest`."""
CI: Final = "CI"


def mode(option: str | None, ini: str, environ: Mapping[str, str]) -> Mode:
    """Raises UsageError for a word that is no mode, and for a recording on CI."""
    asked, source = _asked(option, ini, environ)
    if asked not in MODES:
        raise UsageError(source, f"{asked!r} is not one of {', '.join(MODES)}", "correct it or leave it out")
    if environ.get(RUNNER):
        return "off"
    if not is_on_ci(environ):
        return cast("Mode", asked)
    if asked == "record":
        raise UsageError(
            source, f"nothing is recorded where {CI} is set", "record on your machine, commit the cassettes"
        )
    return "replay" if asked == "missing" else cast("Mode", asked)


def _asked(option: str | None, ini: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """With its source."""
    if option is not None:
        return option, OPTION
    if environ.get(VARIABLE):
        return environ[VARIABLE], VARIABLE
    return (ini, INI) if ini else ("replay", OPTION)


def is_on_ci(environ: Mapping[str, str]) -> bool:
    return environ.get(CI, "").strip().lower() not in ("", "0", "false")
