"""Loaded by `opentelemetry-instrument` before it starts the application (group `opentelemetry_environment_variables`).

A missing exporter makes OpenTelemetry give up in the application before any code of ours runs there, so it is said
here. This module defines no OTEL_ name, and so adds no option to the launcher.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Final

from timetracer_otel.capture.guard import guarded
from timetracer_otel.startup import (
    CONFIG_FILE,
    EXPORTER,
    NONE,
    exporter_names,
    has_configurator,
    is_named,
    misplaced,
    missing_exporters,
    variable,
)

MODE: Final = "TIMETRACER_MODE"


@guarded("launcher")
def check(environ: MutableMapping[str, str], argv: Sequence[str]) -> list[str]:
    """One line for each thing that keeps us from recording or replaying; none if the environment does not ask for us.

    What only the distro asks for, and is not there, is switched off for this run: otherwise the plain
    `OTEL_TRACES_EXPORTER=timetracer opentelemetry-instrument ...` would record nothing.
    """
    asked = {**environ, **_options(argv)}
    lines = _of_config_file(asked) if asked.get(CONFIG_FILE) else []
    if not is_named(asked):
        lines += [f"{name} names {EXPORTER} and is not read; use {variable('traces')}" for name in misplaced(asked)]
    misspelt = _misspelt(asked)
    if is_named(asked) or misspelt or asked.get(MODE) == "replay":
        lines += _of_exporters(asked, environ)
    if misspelt and not has_configurator(asked):  # one that is there refuses them, and so says it
        names = f"{variable('traces')} names {', '.join(misspelt)}, which is not installed"
        lines.append(f"{names}: nothing is recorded; did you mean {EXPORTER}?")
    return lines


def _of_config_file(asked: Mapping[str, str]) -> list[str]:
    from timetracer_otel.config_file import problems

    return [
        f"{problem}: OpenTelemetry will not start, and nothing is recorded; {advice}"
        for problem, advice in problems(asked)
    ]


def _of_exporters(asked: Mapping[str, str], environ: MutableMapping[str, str]) -> list[str]:
    missing = missing_exporters(asked)
    lines = [
        f"{one}: OpenTelemetry will not start, and nothing is recorded; {one.advice}"
        for one in missing
        if not one.is_default
    ]
    defaults = [one for one in missing if one.is_default]
    for one in defaults:
        environ[one.variable] = NONE
    if defaults:
        lines.append(f"{'; '.join(map(str, defaults))}: {NONE} is used instead; set it yourself, or install it")
    return lines


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Exporters by whose names ours was probably meant; none where it is named."""
    if is_named(environ):
        return []
    from difflib import get_close_matches

    return [name for name in exporter_names(environ) if get_close_matches(name.lower(), [EXPORTER], cutoff=0.7)]


def _options(argv: Sequence[str]) -> dict[str, str]:
    """The launcher's own options, which it puts into the environment later: `--traces_exporter timetracer`."""
    options, words = {}, iter(argv[1:])
    for word in words:
        if not word.startswith("--"):
            break
        name, equals, value = word[2:].partition("=")
        options[f"OTEL_{name.upper()}"] = value if equals else next(words, "")
    return options


for _line in check(os.environ, sys.argv) or ():
    sys.stderr.write(f"timetracer-otel: {_line}\n")
