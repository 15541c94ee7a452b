"""OTEL_CONFIG_FILE: what keeps the exporter that it names from being made. Read as text: the launcher needs no YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from timetracer_otel.startup import CONFIG_FILE, EXPORTER, OTLP_EXPORTER, is_named

_KEYS: Final = re.compile(r"(?:^|[\s{,-])([A-Za-z_][\w-]*)[ \t]*:", re.MULTILINE)


def problems(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong and what to do about it; nothing where neither the file nor the environment asks for us."""
    path = environ.get(CONFIG_FILE)
    if not path:
        return
    keys, unreadable = _keys(path)
    misspelt = [] if EXPORTER in keys else _near(keys)
    if not (EXPORTER in keys or misspelt or is_named(environ)):
        return
    if unreadable:
        yield f"{CONFIG_FILE} names {path}: {unreadable}", "correct or unset it"
    if not _is_read():
        yield (
            f"this opentelemetry-sdk does not read {CONFIG_FILE}",
            f"upgrade it, or set OTEL_TRACES_EXPORTER={EXPORTER}",
        )
    elif find_spec("opentelemetry.configuration") is None:
        yield f"{CONFIG_FILE} needs a package that is not installed", "pip install opentelemetry-configuration"
    for key in misspelt:
        yield f"{path} names {key}, which is not an exporter", f"did you mean {EXPORTER}?"


def names_us(environ: Mapping[str, str]) -> bool:
    """True if the file asks for our exporter."""
    path = environ.get(CONFIG_FILE)
    return bool(path) and not _keys(path or "")[0].isdisjoint((EXPORTER, OTLP_EXPORTER))


def _keys(path: str) -> tuple[set[str], str]:
    """Of all mappings in the file; and why there are none."""
    try:
        with open(path, encoding="utf-8") as file:
            return set(_KEYS.findall(file.read())), ""
    except (OSError, ValueError) as error:
        return set(), getattr(error, "strerror", None) or "it is no text in UTF-8"


def _near(keys: set[str]) -> list[str]:
    from difflib import get_close_matches

    return [key for key in sorted(keys) if get_close_matches(key.lower(), [EXPORTER], cutoff=0.85)]


def _is_read() -> bool:
    from opentelemetry.sdk import environment_variables

    return hasattr(environment_variables, CONFIG_FILE)
